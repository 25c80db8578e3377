# Runs the application until it is to end, before that the prelaunch script.
#
# Descriptors 0 to 2 are the console, and the only ones that the application and its checks get. Behind these are FIFOs:
#   3 → 4  from the runner, which is the program's parent: first the program's process id and its session, which
#          PID 1 reads, then its exit status, which the status reader reads, a child of PID 1 that ends with it
#   5 → 6  from the health watcher, a child of PID 1, to the check runner: an empty line asks for a check
#   7 → 8  from the check runner to the health watcher: the check's process id and exit status
# A reader whose writers are all gone reads an end of file, so a process closes what it does not use.

# Sets stop_signal to the number of SIGTERM, term, 15, SIGRTMIN+3, …
resolve_stop_signal() {
	name=$(echo "${1#[Ss][Ii][Gg]}" | tr '[:lower:]' '[:upper:]')
	case $name in
	RTMIN | RTMIN+*) stop_signal=$((34 + 0${name#RTMIN})) ;;
	RTMAX | RTMAX-*) stop_signal=$((64 + 0${name#RTMAX})) ;;
	*) is_number "$name" && stop_signal=$name || stop_signal=$(kill -l "$name" 2>/dev/null) ;;
	esac
	case $stop_signal in [1-9] | [1-5][0-9] | 6[0-4]) ;; *) exit_with_error "$1: not a signal" ;; esac
}

# Opened for reading and writing, a FIFO does not wait for its other end. A signal would interrupt that wait, and the shell would
# not try again.
open_program_pipe() {
	mkfifo -m 600 $state/pipe
	exec 3<>$state/pipe
	exec 4<$state/pipe
	rm $state/pipe
}

# start_program COMMAND_FILE also starts its status reader; sets program and status_reader to their process ids, and session.
#
# A background job of a shell ignores SIGINT and SIGQUIT for ever. Two setsid in a row instead: the second has to fork, since
# the first made it a group leader. The runner below it is in a session of its own and ignores nothing.
start_program() {
	open_program_pipe
	setsid setsid sh -c '
		(read -r pid _ </proc/self/stat; echo "$pid $$" >&3; exec sh -c "$1" "$2" 3>&-)
		echo $? >&3
	' lxdocker "$exec_words" "$1" 4<&-
	until read -r program session <&4; do :; done
	exec 3>&-
	(read -r status <&4; echo "${status:-137}" >$state/status) &
	status_reader=$!
	exec 4<&-
	[ "$stopping" != early ] || handle_stop
}

# Sets status.
wait_for_program() {
	wait_for_child $status_reader
	read -r status <$state/status
	program=
}

# Sends the stop signal; a stop that comes before the program has a process id is noted as early.
handle_stop() {
	stopping=${program:-early}
	stop_health_watcher
	forward_signal "$stop_signal"
	kill_child "$restart_pause"
}

# SIGKILL, since a child that has just been forked still has the traps of PID 1, and loses any other signal.
kill_child() { [ -z "$1" ] || kill -s KILL "$1" 2>/dev/null; }

forward_signal() { [ -z "$program" ] || kill -s "$1" "$program" 2>/dev/null; }

# Waits for the end of a child, which a signal does not hide: what `wait` returns may be the signal's number or the status, and
# nobody could tell. PID 1 reaps orphans meanwhile.
wait_for_child() {
	while
		wait "$1"
		kill -0 "$1" 2>/dev/null
	do :; done
}

# A stop ends the script, then the instance.
run_prelaunch_script() {
	[ -s /lxd-prelaunch ] || return 0
	print_words /lxd-prelaunch >$state/prelaunch_command
	stop_signal=TERM
	trap handle_stop PWR TERM INT
	start_program $state/prelaunch_command
	wait_for_program
	trap 'exit 0' PWR TERM INT
	[ -z "$stopping" ] || exit 0
	[ "$status" = 0 ] || log_line "/lxd-prelaunch ended with status $status"
}

# Runs the application once and sets status.
run_application() {
	start_program $state/application_command
	[ ! -s $state/check_command ] || start_health_watcher
	[ -z "$stopping" ] || stop_health_watcher
	wait_for_program
	stop_health_watcher
	# A shell cannot tell a signal from an exit status above 128.
	if [ "$status" -gt 128 ]; then signal=", as by signal $((status - 128))"; else signal=''; fi
	log_line "the application ended with status $status$signal"
}

# What the last run left behind may hold a port or a lock that the next one needs.
kill_session() {
	ps -o pid,sid | while read -r pid sid; do
		[ "$sid" != "$session" ] || kill -s KILL "$pid" 2>/dev/null
	done
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
	trap handle_stop PWR TERM INT
	for signal in HUP USR1 USR2 WINCH; do
		# shellcheck disable=SC2064
		trap "forward_signal $signal" $signal
	done
	restarts=0 delay=1
	while [ -z "$stopping" ]; do
		rm -f $state/unhealthy
		started=$(print_uptime_seconds)
		run_application
		[ $(($(print_uptime_seconds) - started)) -lt 10 ] || restarts=0 delay=1
		if [ -n "$stopping" ] || ! should_restart; then exit "$status"; fi
		kill_session
		log_line "restarting it in $delay s"
		sleep $delay &
		restart_pause=$!
		[ -z "$stopping" ] || handle_stop
		wait_for_child $restart_pause
		restart_pause=
		restarts=$((restarts + 1)) delay=$((delay < 30 ? delay * 2 : 60))
	done
	exit 0
}
