# Resolves the application's user as Docker does: by the rules of github.com/moby/sys/user.

# Blanks around a line are nothing; a file that is not there has no lines.
print_accounts() { sed 's/^[[:space:]]*//; s/[[:space:]]*$//; /^$/d' "/etc/$1" 2>/dev/null; }

# find_account passwd|group NAME|ID: sets account to ID:GROUP:HOME:NAME of the first line. A number needs no line. Odd ids are 0.
find_account() {
	account=$(print_accounts "$1" | NAME=$2 awk -F : -v comments="${1#passwd}" '
		# Without its zeros: this awk would take it for octal.
		function id(text) { sign = text ~ /^-/ ? -1 : 1; sub(/^[-+]?0*/, "", text); return text ~ /^[0-9]+$/ ? sign * text : 0 }
		BEGIN { name = ENVIRON["NAME"]; number = name ~ /^[-+]?[0-9]+$/; bad = number && (id(name) < 0 || id(name) > 2147483647) }
		comments && /^#/ { next }
		!bad && (number ? id($3) == id(name) : $1 "" == name) { print id($3) ":" id($4) ":" $6 ":" $1; bad = 1; exit }
		END { if (number && !bad) print id(name) ":0:/:" }')
	[ -n "$account" ]
}

# Sets uid, gid, groups, which are the supplementary ones, and home.
resolve_user() {
	name=${user%%:*} group=$(printf '%s\n' "$user" | cut -s -d : -f 2) groups=''
	find_account passwd "${name:-0}" || exit_with_error "user $name: not in /etc/passwd"
	IFS=: read -r uid gid home login <<-end
		$account
	end
	if [ -n "$group" ]; then
		# Docker gives no supplementary groups next to an explicit group.
		find_account group "$group" || exit_with_error "group $group: not in /etc/group"
		gid=${account%%:*}
	elif [ -n "$login" ]; then
		groups=$(print_accounts group | NAME=$login awk -F : '
			/^#/ { next }
			{ count = split($4, list, ","); for (i = 1; i <= count; i++) if (list[i] "" == ENVIRON["NAME"]) { sub(/^[+]?0*/, "", $3); print $3 ~ /^[0-9]+$/ ? $3 : 0; next } }')
	fi
	# As runc does: that of the first user with this number.
	find_account passwd "$uid" || exit_with_error "user $uid: not a number from 0 to 2147483647"
	home=$(echo "$account" | cut -d : -f 3)
}

# Of busybox's applets only su sets supplementary groups, and it reads /etc/group with rules of its own. So it gets an /etc that says
# what Docker's rules have come to, in a mount namespace that is left again. `sh -c "$enter_groups" sh UID GID GROUPS PROGRAM…`
enter_groups='
exec 8<. 9</proc/self/ns/mnt
exec unshare -m sh -c '\''
	uid=$1 gid=$2 groups=$3
	shift 3
	mount -t tmpfs accounts /etc
	echo "lxdocker:x:0:$gid::/:/busybox-lxd" >/etc/passwd
	for id in $groups; do echo "group$id:x:$id:lxdocker"; done >/etc/group
	exec su -m -s /busybox-lxd -- lxdocker nsenter -m/proc/self/fd/9 -w/proc/self/fd/8 -S "$uid" -- \
		sh -c "exec 8<&- 9<&-; exec \"\$@\"" sh "$@"
'\'' sh "$@"'
