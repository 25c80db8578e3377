# Resolves the application's user as Docker does: by the rules of github.com/moby/sys/user.

# Sets uid, gid, groups, which are the supplementary ones, and home.
resolve_user() {
	account=$(NAME=$user awk '
		# Odd ids are 0. Without zeros before it: this awk would take it for octal.
		function id(text, sign) { sign = text ~ /^-/ ? -1 : 1; sub(/^[-+]?0*/, "", text); return text ~ /^[0-9]+$/ ? sign * text : 0 }
		# Sets f to the fields of the first line of a name or an id. A number needs no line.
		function find(file, name, number, i) {
			number = name ~ /^[-+]?[0-9]+$/
			if (number && (id(name) < 0 || id(name) > 2147483647)) return 0
			for (i = 1; i <= count[file]; i++) if (split(line[file, i], f, ":") && (number ? id(f[3]) == id(name) : f[1] "" == name)) return 1
			split("::" id(name) ":0::/", f, ":")
			return number
		}
		function fail(text) { print text; exit 1 }
		BEGIN {
			# Blanks around a line are nothing; a file that is not there has no lines.
			for (file = "passwd"; file; file = file == "passwd" ? "group" : "")
				while ((getline text <("/etc/" file)) > 0) {
					gsub(/^[[:space:]]+|[[:space:]]+$/, "", text)
					if (text != "" && (file == "passwd" || text !~ /^#/)) line[file, ++count[file]] = text
				}
			split(ENVIRON["NAME"], said, ":")
			name = said[1] == "" ? "0" : said[1]
			if (!find("passwd", name)) fail("user " name ": not in /etc/passwd")
			uid = id(f[3]); gid = id(f[4]); login = f[1]
			if (said[2] != "") {
				# Docker gives no supplementary groups next to an explicit group.
				if (!find("group", said[2])) fail("group " said[2] ": not in /etc/group")
				gid = id(f[3])
			} else for (i = 1; login != "" && i <= count["group"]; i++) {
				split(line["group", i], f, ":")
				sub(/^[+]?0*/, "", f[3])
				if (index("," f[4] ",", "," login ",")) groups = groups " " (f[3] ~ /^[0-9]+$/ ? f[3] : 0)
			}
			# As runc does: the home of the first user with this number.
			if (!find("passwd", uid "")) fail("user " uid ": not a number from 0 to 2147483647")
			print uid "\n" gid "\n" groups "\n" f[6]
		}') || exit_with_error "$account"
	{ read -r uid && read -r gid && read -r groups && IFS= read -r home; } <<-end
		$account
	end
}

# Of busybox's applets only su sets supplementary groups, and it reads /etc/group with rules of its own. So it gets an /etc that says
# what Docker's rules have come to, in a mount namespace that is left again, for 9, and with it the directory, for 8.
# `unshare -m sh -c "$enter_groups" sh UID GID GROUPS PROGRAM…`
enter_groups='
	mount -t tmpfs accounts /etc
	echo "lxdocker:x:0:$2::/:/busybox-lxd" >/etc/passwd
	for group in $3; do echo "group$group:x:$group:lxdocker"; done >/etc/group
	uid=$1
	shift 3
	exec su -m -s /busybox-lxd -- lxdocker nsenter -m/proc/self/fd/9 -w/proc/self/fd/8 -S "$uid" -- \
		sh -c "exec 8<&- 9<&-; exec \"\$@\"" sh "$@"'
