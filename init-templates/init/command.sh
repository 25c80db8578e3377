# Writes the application's environment and command line.

# Of equal names `env` takes the last.
print_variables() {
	default_path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
	print_quoted "PATH=$default_path" "HOSTNAME=$hostname"
	printf '%s ' "$variables"
	if [ -n "$LXDOCKER_ENVFILE" ]; then
		{ [ ! -d "$LXDOCKER_ENVFILE" ] && [ -r "$LXDOCKER_ENVFILE" ]; } || exit_with_error "LXDOCKER_ENVFILE: cannot read $LXDOCKER_ENVFILE"
		# As Docker reads it: without a byte order mark, blanks before the name, the carriage returns of Windows.
		awk '{ gsub(/^(\357\273\277)?[[:space:]]*|\r$/, "") } /^[^#]/' "$LXDOCKER_ENVFILE" | while IFS= read -r pair; do
			case $pair in
			[!=]*=*) print_quoted "$pair" ;;
			*) log_line "LXDOCKER_ENVFILE: left out, not NAME=value: ${pair%%=*}" ;;
			esac
		done
	fi
	while IFS= read -r -d '' pair; do
		# LXD sets that very PATH, which must not replace the image's own; a different one is the instance's.
		case $pair in LXDOCKER_* | UDHCPC_NO_* | CREDENTIALS_DIRECTORY=* | "PATH=$default_path") ;; *) print_quoted "$pair" ;; esac
	done </proc/1/environ
}

# Prints a command line as exec_command takes it. The caller has to exit where this fails.
print_command() {
	eval "set -- $1"
	[ $# -gt 0 ] || exit_with_error 'there is nothing to run'
	program=$1
	shift
	if [ "$program" = "${program##*/}" ]; then
		found=$(eval "env -i $variables which -- \"\$program\"") ||
			exit_with_error "$program: not found in PATH=$(eval "env -i $variables sh -c 'echo \"\$PATH\"'")"
		# By the name of an applet busybox would run that.
		! /busybox-lxd --list | grep -Fqx -e "$program" || program=$found
	fi
	print_quoted "$program" "$@"
}

# Prints the words of its input. As in a shell, blanks separate words, quotes and backslashes protect blanks; nothing is expanded.
split_words() {
	word='' in_word='' quote=''
	while IFS= read -r -d '' -n 1 char; do
		case $quote$char in
		\' | \") quote=$char in_word=true ;;
		\'\' | \"\") quote='' ;;
		\\ | \"\\)
			IFS= read -r -d '' -n 1 char
			case $quote$char in \"[!\"\\\$\`]) word=$word\\ ;; esac
			word=$word$char in_word=true
			;;
		[[:space:]])
			[ -z "$in_word" ] || print_quoted "$word"
			word='' in_word=''
			;;
		*) word=$word$char in_word=true ;;
		esac
	done
	[ -z "$in_word" ] || print_quoted "$word"
}
