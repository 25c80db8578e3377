# Does what the script was started for.

boot() {
	supervisor=$$ health_file='' check='' writer='' killer=''
	mount_kernel_filesystems
	fill_volumes
	mount_tmpfs
	# The image's own /sbin/init comes back, for programs that look at it: over this script, or by hiding where /sbin/init leads to.
	[ -d /lxd-realinit ] || [ ! -e /lxd-realinit ] || mount --bind /lxd-realinit /sbin/init
	[ ! -d /lxd-realinit ] || mount --bind /lxd-realinit/given /lxd-realinit
	set_network_sysctls
	[ -z "$sysctl" ] || eval "sysctl -qw $sysctl"
	ask_for_addresses
	run_prelaunch_scripts
	workdir=${LXDOCKER_WORKDIR:-$workdir} user=${LXDOCKER_USER:-$user}
	restart=${LXDOCKER_RESTART:-$restart} log=${LXDOCKER_LOG:-$log} stop_timeout=${LXDOCKER_STOP_TIMEOUT:-$stop_timeout}
	case $restart in no | always | on-failure) ;; on-failure:[1-9]*) is_number "${restart#*:}" ;; *) false ;; esac ||
		exit_with_error "LXDOCKER_RESTART: not no, always, on-failure or on-failure:N: $restart"
	[ -z "$log" ] || echo "$log" | grep -Eiqx '/[^,]*(,[1-9][0-9]{0,8}([kmg]i?)?b?)?' ||
		exit_with_error "LXDOCKER_LOG: not PATH[,SIZE]: $log"
	is_number "${stop_timeout#-}" || exit_with_error "LXDOCKER_STOP_TIMEOUT: not a number of seconds: $stop_timeout"
	[ -z "$LXDOCKER_STOP_SIGNAL" ] || resolve_stop_signal "$LXDOCKER_STOP_SIGNAL"
	resolve_user
	[ -d "$workdir" ] || mkdir -p "$workdir"
	cd "$workdir" || exit_with_error "$workdir: cannot be the working directory"
	variables=$(print_variables) || exit 127
	# As with `docker run --entrypoint`, another entrypoint drops the image's command.
	[ -z "$LXDOCKER_ENTRYPOINT" ] || entrypoint=$(printf %s "$LXDOCKER_ENTRYPOINT" | split_words) command=''
	[ -z "$LXDOCKER_COMMAND" ] || command=$(printf %s "$LXDOCKER_COMMAND" | split_words)
	application=$(print_command "$entrypoint $command") || exit 127
	if [ -n "$health_test" ]; then
		health_file=/dev/shm/lxdocker/health
		[ ! -d /run ] || [ -L /run/lxdocker ] || health_file=/run/lxdocker/health
		mkdir -p "${health_file%/*}" # later the application could make a link of that name, which root would follow
		check=$(print_command "$health_test") || check=false # it fails each time
	fi
	choose_streams "$application"
	[ "$tty" = true ] || start_writer
	wait_for_addresses
	umask 077
	for name in supervisor uid gid groups home workdir variables application check stop_signal health_file tty writer; do
		eval "printf '%s=' $name && print_quoted \"\$$name\" && echo" # which starts no process
	done >$state/unfinished
	umask 022
	mv $state/unfinished $state/settings
}

# run_beside [-u USER[:GROUP]] [-w DIRECTORY] [-e NAME=VALUE]… [-it] [WORD…]. The terminal is the one that `lxc exec` gives.
run_beside() {
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
		for shell in sh bash; do (print_command $shell) >/dev/null 2>&1 && set -- $shell; done
	fi
	words=$(print_command "$(print_quoted "$@")") || exit
	pipe=$state/pipe.$$
	for descriptor in 0 1 2; do
		if [ -t $descriptor ]; then
			chown "$uid" /proc/self/fd/$descriptor
		elif [ $descriptor != 0 ]; then # LXD's own pipe is one that nobody inside can open as /dev/stdout
			mkfifo -m 600 $pipe
			chown "$uid" $pipe
			(eval "exec cat <$pipe >&$descriptor" &)
			eval "exec $descriptor>$pipe"
			rm $pipe
		fi
	done
	exec_command "$words"
}

case ${1-} in
'') # PID 1 lets the supervisor boot, then becomes the application's user, or the application
	umask 022
	# Docker's daemon has no limits of its own for core dumps and open files; 1024 is what systemd gives a daemon that asks for nothing.
	ulimit -Sc unlimited 2>/dev/null || ulimit -Sc "$(ulimit -Hc)"
	[ "$(ulimit -Sn)" != 1024 ] || ulimit -Sn 1048576 2>/dev/null || ulimit -Sn "$(ulimit -Hn)"
	mkdir -p $state
	mount -t tmpfs -o nosuid,nodev,mode=711 lxdocker $state
	cp "$0" $state/init
	mkfifo -m 600 $state/signals $state/lines $state/output
	# Opened for both, a FIFO waits for nobody. liblxc starts PID 1 with SIGPIPE ignored; no shell undoes that, but `tar --to-command`
	# does for its child; it leaves pipe 7 open. The second setsid forks, and what it starts is no background job, which would ignore
	# SIGINT and SIGQUIT.
	exec 3<>$state/signals 4<>$state/lines 6<&0
	ln -s /busybox-lxd $state/sh
	: >$state/empty
	tar -c -C $state empty |
		SHELL=$state/sh tar -x --to-command="exec setsid setsid sh $state/init supervise <&6 4>&- 6<&- 7<&-"
	exec 6<&-
	trap 'stop_program TERM || exit 0' PWR TERM INT # /lxd-prelaunch gets its time
	wait_for_line
	[ -e $state/settings ] || exit 127
	. $state/settings
	cd "$workdir" || exit 127
	open_streams
	if [ "$supervised" = true ]; then
		exec 4<$state/lines
		exec_command "sh $state/init relay $supervisor $writer"
	fi
	while [ -d "/proc/$supervisor" ]; do (:); done # the application might not reap it
	exec 3>&- 4>&-
	exec_command "$application"
	;;
supervise)
	trap 'end_instance $?' EXIT
	boot 3>&-
	exec 5>$state/lines
	echo >&5
	if [ "$supervised" = true ]; then supervise; else start_health_watcher; fi
	;;
exec) shift && run_beside "$@" ;;
names) write_names ;;
watch) watch_health ;;
check) . $state/settings && exec_command "$check" ;; # beside it `timeout` waits, whose command line everyone can read
esac
