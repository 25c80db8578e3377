# Runs the application until it is to end.
#
# Who talks to whom, by FIFOs in $state. The application and its checks get the descriptors 0 to 2 only.
#   application_pid     runner → PID 1 (its descriptor 4): the application's process id
#   application_status  runner (its descriptor 3) → a child of PID 1, which exits with it: the application's exit status
#   check_request       health watcher (its descriptor 5) → check runner: an empty line asks for one check
#   check_result        check runner (its descriptor 3) → health watcher: the check's exit status
# The runner is the application's parent; a file `unhealthy` says that the health watcher wants a restart.

# Sets stop_signal to the number of SIGTERM, term, 15, SIGRTMIN+3, …
resolve_stop_signal() {
	name=$(echo "${1#[Ss][Ii][Gg]}" | tr '[:lower:]' '[:upper:]')
	case $name in
	RTMIN | RTMIN+*) stop_signal=$((34 + 0${name#RTMIN})) ;;
	RTMAX | RTMAX-*) stop_signal=$((64 + 0${name#RTMAX})) ;;
	*) is_number "$name" && stop_signal=$name || stop_signal=$(kill -l "$name") || exit_with_error "$1: not a signal" ;;
	esac
}

# A background job of a shell ignores SIGINT and SIGQUIT for ever. Two setsid in a row instead: the second has to fork, since
# the first made it a group leader. The runner below it is in a session of its own and ignores nothing.
start_application() {
	setsid setsid sh -c '
		(read -r pid _ </proc/self/stat; echo "$pid" >"$1/application_pid"; exec sh -c "$2" "$1/application_command" 3>&-)
		echo $? >&3
	' lxdocker $state "$exec_words" 3>$state/application_status 4>&-
}

handle_stop() {
	stopping=true
	[ -z "$application" ] || kill -s "$stop_signal" "$application"
	[ -z "$restart_pause" ] || kill "$restart_pause"
}

forward_signal() { [ -z "$application" ] || kill -s "$1" "$application"; }

# Waits for a child through any number of signals and sets status. PID 1 reaps orphans meanwhile.
wait_for_child() {
	while
		wait "$1"
		status=$?
		kill -0 "$1" 2>/dev/null
	do :; done
	# A signal may have ended that wait although the child had ended, too; the shell still knows the status.
	wait "$1" 2>/dev/null
	remembered_status=$?
	[ $remembered_status = 127 ] || status=$remembered_status
}

# Runs the application once and sets status.
run_application() {
	(read -r reported_status <$state/application_status; exit "${reported_status:-137}") &
	status_reader=$!
	exec 4<>$state/application_pid
	start_application
	until read -r application <&4; do :; done
	exec 4>&-
	[ -z "$stopping" ] || handle_stop
	health_watcher=''
	if [ -s $state/check_command ]; then
		start_check_runner
		watch_health &
		health_watcher=$!
	fi
	wait_for_child $status_reader
	application=
	[ -z "$health_watcher" ] || kill $health_watcher
	# A shell cannot tell a signal from an exit status above 128.
	if [ "$status" -gt 128 ]; then signal=", as by signal $((status - 128))"; else signal=''; fi
	log_line "the application ended with status $status$signal"
}

print_uptime_seconds() { cut -d . -f 1 /proc/uptime; }

should_restart() {
	[ ! -e $state/unhealthy ] || return 0
	case $restart in
	always) ;;
	on-failure) [ "$status" != 0 ] ;;
	on-failure:*) [ "$status" != 0 ] && [ $restarts -lt "${restart#*:}" ] ;;
	*) return 1 ;;
	esac
}

# Runs the application again and again as the restart policy says, then exits with its last status.
supervise() {
	mkfifo -m 600 $state/application_pid $state/application_status
	restarts=0 delay=1
	while :; do
		rm -f $state/unhealthy
		started=$(print_uptime_seconds)
		run_application
		[ $(($(print_uptime_seconds) - started)) -lt 10 ] || restarts=0 delay=1
		if [ -n "$stopping" ] || ! should_restart; then exit "$status"; fi
		log_line "restarting it in $delay s"
		sleep $delay &
		restart_pause=$!
		[ -z "$stopping" ] || handle_stop
		wait_for_child $restart_pause
		restart_pause=
		[ -z "$stopping" ] || exit 0
		restarts=$((restarts + 1)) delay=$((delay < 30 ? delay * 2 : 60))
	done
}
