# Runs a command beside the application, as docker exec does.

# run_beside exec [-u USER[:GROUP]] [-w DIRECTORY] [-e NAME=VALUE]… [-it] [WORD…]. The terminal is the one that `lxc exec` gives.
run_beside() {
	shift
	[ -e $state/settings ] || exit_with_error 'the instance is still starting'
	. $state/settings
	words=$(getopt -n /lxd-exec -o +u:w:e:it -l user:,workdir:,env:,interactive,tty -- "$@") || exit 125
	eval "set -- $words"
	[ ! -t 0 ] || variables="$variables $(print_quoted "TERM=${TERM:-xterm}")"
	while [ "$1" != -- ]; do
		case $1 in
		-u | --user) user=$2 && resolve_user ;;
		-w | --workdir) workdir=$2 ;;
		-e | --env) variables="$variables $(print_quoted "$2")" ;;
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
	words=$(print_command "$(print_quoted "$@")") || exit
	for descriptor in 0 1 2; do [ ! -t $descriptor ] || chown "$uid" /proc/self/fd/$descriptor; done
	exec_command "$words"
}
