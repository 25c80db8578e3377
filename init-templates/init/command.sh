# Writes the application's command line.

print_envfile_variables() {
	[ -n "$LXDOCKER_ENVFILE" ] || return 0
	[ -r "$LXDOCKER_ENVFILE" ] || log_line "LXDOCKER_ENVFILE: cannot read $LXDOCKER_ENVFILE"
	while IFS= read -r pair || [ -n "$pair" ]; do
		case $pair in
		'' | '#'*) ;;
		[!=]*=*) print_words "$pair" ;;
		*) log_line "LXDOCKER_ENVFILE: left out, not NAME=value: ${pair%%=*}" ;;
		esac
	done <"$LXDOCKER_ENVFILE"
}

default_path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# LXD sets that very PATH, which must not replace the image's own; a different one is the instance's.
print_instance_variables() {
	while IFS= read -r -d '' pair; do
		case $pair in LXDOCKER_* | UDHCPC_NO_* | CREDENTIALS_DIRECTORY=* | "PATH=$default_path") ;; *) print_words "$pair" ;; esac
	done </proc/1/environ
}

# Writes the words that make a program run with the application's environment and user, and sets path to its PATH.
write_launch_prefix() {
	# `env` takes the last of equal names.
	{
		print_words "PATH=$default_path" "HOSTNAME=$(hostname)" "HOME=$home"
		print_image_variables
		print_envfile_variables
		print_instance_variables
	} >$state/variables
	while IFS= read -r -d '' pair; do
		case $pair in PATH=*) path=${pair#PATH=} ;; esac
	done <$state/variables
	{
		if [ -n "$groups" ]; then
			print_words sh -c "$enter_groups" sh "$uid" "$gid" "$groups"
		else
			print_words nsenter -S "$uid" -G "$gid" --
		fi
		print_words env -i
		cat $state/variables
	} >$state/launch_prefix
}

# Copies a command line from stdin to stdout. A program of the image that has the name of an applet gets its full path, or
# busybox would run the applet.
resolve_program() {
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
		[ -n "$directory" ] || exit_with_error "$program: not found in PATH=$path"
		! /busybox-lxd --list | grep -Fqx -e "$program" || program=$directory/$program
		;;
	esac
	print_words "$program"
	cat
}

# Prints the words of a text. As in a shell, blanks separate words, and quotes and backslashes protect blanks; nothing is expanded.
split_words() {
	text=$1 word='' in_word='' quote=''
	while [ -n "$text" ]; do
		char=${text%"${text#?}"} text=${text#?}
		if [ "$char" = "\\" ] && [ "$quote" != "'" ]; then
			char=${text%"${text#?}"} text=${text#?}
			case $quote$char in \"[!\"\\\$\`]) word=$word\\ ;; esac
			word=$word$char in_word=true
		elif [ -n "$quote" ]; then
			if [ "$char" = "$quote" ]; then quote=''; else word=$word$char; fi
		else
			case $char in
			\' | \") quote=$char in_word=true ;;
			[[:space:]])
				[ -z "$in_word" ] || print_words "$word"
				word='' in_word=''
				;;
			*) word=$word$char in_word=true ;;
			esac
		fi
	done
	[ -z "$in_word" ] || print_words "$word"
}

# As with `docker run --entrypoint`, another entrypoint drops the image's command.
print_application_words() {
	if [ -n "$LXDOCKER_ENTRYPOINT" ]; then split_words "$LXDOCKER_ENTRYPOINT"; else print_image_entrypoint; fi
	if [ -n "$LXDOCKER_COMMAND" ]; then
		split_words "$LXDOCKER_COMMAND"
	elif [ -z "$LXDOCKER_ENTRYPOINT" ]; then
		print_image_command
	fi
}
