# Runs a command beside the application, as docker exec does.

# open_pipe FIFO DESCRIPTOR puts a pipe of the user before one that LXD has made, which nobody inside can open as /dev/stdout.
open_pipe() {
	mkfifo -m 600 "$1"
	chown "$uid" "$1"
	(eval "exec cat <$1 >&$2" &)
	eval "exec $2>$1"
	rm "$1"
}

# run_beside [-u USER[:GROUP]] [-w DIRECTORY] [-e NAME=VALUE]… [WORD…], a shell when there is no word. The terminal is the one that
# `lxc exec` gives, so -i and -t have nothing to do.
run_beside() {
	[ -e $state/booted ] || exit_with_error 'the instance is still starting'
	. $state/settings
	words=$(getopt -n /lxd-exec -o +u:w:e:it -l user:,workdir:,env:,interactive,tty -- "$@") || exit 125
	eval "set -- $words"
	[ ! -t 0 ] || more=$(print_quoted "TERM=${TERM:-xterm}")
	while [ "$1" != -- ]; do
		case $1 in
		-u | --user) user=$2 && resolve_user ;;
		-w | --workdir) workdir=$2 ;;
		-e | --env) more="$more $(print_quoted "$2")" ;;
		*) set -- . "$@" ;; # it has no argument
		esac
		shift 2
	done
	shift
	cd "$workdir" || exit_with_error "$workdir: cannot be the working directory"
	if [ $# = 0 ]; then
		set -- /busybox-lxd sh
		for shell in sh bash; do (resolve_program $shell) 2>/dev/null && set -- $shell; done
	fi
	resolve_program "$1"
	shift
	words=$(print_quoted "$program" "$@")
	for descriptor in 0 1 2; do
		if [ -t $descriptor ]; then
			chown "$uid" /proc/self/fd/$descriptor
		elif [ $descriptor != 0 ]; then
			open_pipe $state/pipe.$$ $descriptor
		fi
	done
	exec_command /dev/null
}
