# Runs the application until it is to end, before that the prelaunch script.
# PID 1 writes its signals to the FIFO 3, the supervisor a line to the FIFO 5 → 4 when PID 1 may go on, and one when it ends.
# A process writes its id into a file before it looks whether it is to stop; who stops it does these in the other order.

# Sets stop_signal to the number of SIGTERM, term, 15, SIGRTMIN+3, …
resolve_stop_signal() {
	stop_signal=$(echo "${1#[Ss][Ii][Gg]}" | tr '[:lower:]' '[:upper:]')
	case $stop_signal in
	RTMIN | RTMIN+*) stop_signal=$((34 + 0${stop_signal#RTMIN})) ;;
	RTMAX | RTMAX-*) stop_signal=$((64 + 0${stop_signal#RTMAX})) ;;
	*[!0-9]*) stop_signal=$(kill -l "$stop_signal" 2>/dev/null) ;;
	esac
	case $stop_signal in [1-9] | [1-5][0-9] | 6[0-4]) ;; *) exit_with_error "$1: not a signal" ;; esac
}

end_instance() {
	echo "$1" >$state/status
	echo >$state/lines
}

# run_program FILE COMMAND… runs a command that executes a program, whose id FILE has until it ends. Sets status and session, its id.
run_program() {
	file=$1
	shift
	(
		read -r pid _ </proc/self/stat
		echo "$pid" >"$state/$file"
		[ -e $state/stopping ] || "$@"
	)
	status=$?
	read -r session <"$state/$file"
	rm "$state/$file"
}

# Fails when there is no program; one that has just ended counts as one.
signal_program() {
	read -r program <$state/program || return
	kill -s "$1" "$program" || :
} 2>/dev/null

stop_program() {
	: >$state/stopping
	signal_program "$1"
}

# The spec's, then the instance's. A stop ends the script, then the instance.
run_prelaunch_scripts() {
	[ -z "$prelaunch" ] || (umask 077 && printf %s "$prelaunch" >$state/prelaunch && chmod 700 $state/prelaunch)
	for script in $state/prelaunch /lxd-prelaunch; do
		[ -s "$script" ] || continue
		wait_for_addresses
		run_program program exec setsid "$script"
		[ ! -e $state/stopping ] || exit 0
		[ "$status" = 0 ] || log_line "$script ended with status $status"
	done
}

# A stop without a program ends the instance.
answer_signals() {
	exec 5>&- 7>&-
	trap : HUP USR1 USR2 TERM
	while :; do
		read -r signal <&3 || continue
		case $signal in
		2 | 15 | 30) # INT, TERM, PWR
			stop_program "$stop_signal" || { end_instance 0 && kill -s KILL $$; }
			if [ "$stop_timeout" -ge 0 ] && [ -z "$killer" ]; then kill_later & killer=$!; fi # fails without processes
			stop_health_watcher # an application that is asked to end may well be unhealthy until it has
			;;
		*) signal_program "$signal" ;;
		esac
	done
}

kill_later() {
	sleep "$stop_timeout"
	log_line "the application has not ended within $stop_timeout s: SIGKILL"
	signal_program KILL
}

run_application() {
	start_health_watcher
	run_program program exec_command "$application" setsid
	# A shell cannot tell a signal from an exit status above 128.
	if [ "$status" -gt 128 ]; then signal=", as by signal $((status - 128))"; else signal=''; fi
	log_line "the application ended with status $status$signal"
	# s6-overlay and runit end with 100 then.
	case $status${application%%"' "*} in
	100\'* | [1-9]*init) log_line 'if it insists on being PID 1, "disable_supervisor: true" in the spec makes it that' ;;
	esac
	stop_health_watcher
	# What is left behind may hold a port or a lock that the next run needs, the pipe that the last lines are in, all processes.
	kill -s KILL "-$session" 2>/dev/null
	ps -o pid,sid | awk -v session="$session" '$2 == session { print $1 }' | xargs kill -s KILL 2>/dev/null
}

should_restart() {
	if [ -e $state/unhealthy ]; then rm $state/unhealthy && return; fi
	case $restart/$status in no/* | on-failure*/0) return 1 ;; on-failure:*) [ $restarts -lt "${restart#*:}" ] ;; esac
}

# Runs the application again and again as the restart policy says. The first line is PID 1's word that it is the application's user.
supervise() {
	trap : HUP INT QUIT USR1 USR2 TERM # some applications send one to all processes when they end
	read -r signal <&3
	echo "$signal" >&3
	answer_signals &
	open_streams
	restarts=0 delay=1
	while
		IFS=. read -r started _ </proc/uptime
		run_application 3>&- 5>&-
		IFS=. read -r ended _ </proc/uptime
		[ $((ended - started)) -lt 10 ] || restarts=0 delay=1
		[ ! -e $state/stopping ] && should_restart
	do
		log_line "restarting it in $delay s"
		sleep $delay >/dev/null 2>&1 3>&- 5>&-
		restarts=$((restarts + 1)) delay=$((delay < 30 ? delay * 2 : 60))
	done
	exit "$status"
}
