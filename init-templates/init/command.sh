# Puts the application's command line together.

file_variables() {
	[ -n "$LXDOCKER_ENVFILE" ] || return 0
	[ -r "$LXDOCKER_ENVFILE" ] || say "LXDOCKER_ENVFILE: cannot read $LXDOCKER_ENVFILE"
	while IFS= read -r pair || [ -n "$pair" ]; do
		case $pair in
		'' | '#'*) ;;
		[!=]*=*) words "$pair" ;;
		*) say "LXDOCKER_ENVFILE: left out, not NAME=value: ${pair%%=*}" ;;
		esac
	done <"$LXDOCKER_ENVFILE"
}

default_path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

instance_variables() {
	# shellcheck disable=SC3045 # this sh knows -d
	while IFS= read -r -d '' pair; do
		case $pair in LXDOCKER_* | UDHCPC_NO_* | CREDENTIALS_DIRECTORY=* | "PATH=$default_path") ;; *) words "$pair" ;; esac
	done </proc/1/environ
}

# What stands before a program so that it runs as the application does. `env` takes the last of equal names.
write_prefix() {
	{
		words "PATH=$default_path" "HOSTNAME=$(hostname)" "HOME=$home"
		image_variables
		file_variables
		instance_variables
	} >$state/variables
	# shellcheck disable=SC3045
	while IFS= read -r -d '' pair; do
		case $pair in PATH=*) path=${pair#PATH=} ;; esac
	done <$state/variables
	{
		words env -i
		cat $state/variables
		# Of busybox's applets only su sets supplementary groups, only for a user of passwd.
		if [ -n "$login" ]; then words su -m -s /busybox-lxd -- "$login" nsenter --; else words nsenter -S "$uid" -G "$gid" --; fi
	} >$state/prefix
}

# Passes words on. Instead of the image's program busybox would run its own applet of that name: the first gets its path.
resolve_program() {
	# shellcheck disable=SC3045
	IFS= read -r -d '' program || return 0
	case $program in
	*/*) ;;
	*)
		old_ifs=$IFS IFS=:
		for directory in $path; do
			[ ! -f "${directory:-.}/$program" ] || [ ! -x "${directory:-.}/$program" ] || break
			directory=
		done
		IFS=$old_ifs
		[ -n "$directory" ] || fail "$program: not found in PATH=$path"
		! /busybox-lxd --list | grep -Fqx -e "$program" || program=$directory/$program
		;;
	esac
	words "$program"
	cat
}

# Prints the words of a text. Blanks separate them, quotes and backslashes hold them together as in a shell, nothing is
# expanded.
split() {
	text=$1 word='' begun='' quote=''
	while [ -n "$text" ]; do
		char=${text%"${text#?}"} text=${text#?}
		if [ "$char" = "\\" ] && [ "$quote" != "'" ]; then
			char=${text%"${text#?}"} text=${text#?}
			case $quote$char in \"[!\"\\\$\`]) word=$word\\ ;; esac
			word=$word$char begun=true
		elif [ -n "$quote" ]; then
			if [ "$char" = "$quote" ]; then quote=''; else word=$word$char; fi
		else
			case $char in
			\' | \") quote=$char begun=true ;;
			[[:space:]])
				[ -z "$begun" ] || words "$word"
				word='' begun=''
				;;
			*) word=$word$char begun=true ;;
			esac
		fi
	done
	[ -z "$begun" ] || words "$word"
}

# As with `docker run --entrypoint`, another entrypoint does away with the image's command.
application_words() {
	if [ -n "$LXDOCKER_ENTRYPOINT" ]; then split "$LXDOCKER_ENTRYPOINT"; else image_entrypoint; fi
	if [ -n "$LXDOCKER_COMMAND" ]; then
		split "$LXDOCKER_COMMAND"
	elif [ -z "$LXDOCKER_ENTRYPOINT" ]; then
		image_command
	fi
}
