# Runs the application until it is to end.

# Sets stop_signal to the number of SIGTERM, term, 15, SIGRTMIN+3, …
resolve_stop_signal() {
	name=$(echo "${1#[Ss][Ii][Gg]}" | tr '[:lower:]' '[:upper:]')
	case $name in
	RTMIN | RTMIN+*) stop_signal=$((34 + 0${name#RTMIN})) ;;
	RTMAX | RTMAX-*) stop_signal=$((64 + 0${name#RTMAX})) ;;
	*) is_number "$name" && stop_signal=$name || stop_signal=$(kill -l "$name") || fail "$1: not a signal" ;;
	esac
}

# A shell's background job would ignore SIGINT and SIGQUIT for ever. Two setsid in a row make a process in a session of
# its own that ignores nothing. It takes the command line from a file, since its own arguments would show secrets to `ps`,
# and reports its process id first, its exit status last.
spawn() {
	# shellcheck disable=SC2016
	setsid setsid sh -c '
		(read -r pid _ </proc/self/stat; echo "$pid" >"$1/pid"; exec sh -c "$2" "$1/command" 3>&-)
		echo $? >&3
	' lxdocker $state "$become" 3>$state/status 4>&-
}

stop() {
	stopping=true
	[ -z "$application" ] || kill -s "$stop_signal" "$application"
	[ -z "$pause" ] || kill "$pause"
}

pass_on() { [ -z "$application" ] || kill -s "$1" "$application"; }

# Waits for a process of this shell through any number of signals; sets status. PID 1 reaps orphans meanwhile.
await() {
	while
		wait "$1"
		status=$?
		kill -0 "$1" 2>/dev/null
	do :; done
	wait "$1" 2>/dev/null
	late=$?
	[ $late = 127 ] || status=$late
}

# Runs the application once; sets status.
run_application() {
	(read -r reported <$state/status; exit "${reported:-137}") &
	waiter=$!
	exec 4<>$state/pid
	spawn
	until read -r application <&4; do :; done
	exec 4>&-
	[ -z "$stopping" ] || stop
	health=''
	if [ -s $state/check ]; then
		spawn_checker
		watch_health &
		health=$!
	fi
	await $waiter
	application=
	[ -z "$health" ] || kill $health
	# A shell cannot tell a signal from an exit status above 128.
	if [ "$status" -gt 128 ]; then signal=", as by signal $((status - 128))"; else signal=''; fi
	say "the application ended with status $status$signal"
}

now() { cut -d . -f 1 /proc/uptime; }

# Whether the policy wants another run.
wanted() {
	[ ! -e $state/unhealthy ] || return 0
	case $restart in
	always) ;;
	on-failure) [ "$status" != 0 ] ;;
	on-failure:*) [ "$status" != 0 ] && [ $restarts -lt "${restart#*:}" ] ;;
	*) return 1 ;;
	esac
}

# Ends with the application's exit status.
supervise() {
	mkfifo -m 600 $state/pid $state/status
	restarts=0 delay=1
	while :; do
		rm -f $state/unhealthy
		started=$(now)
		run_application
		[ $(($(now) - started)) -lt 10 ] || restarts=0 delay=1
		if [ -n "$stopping" ] || ! wanted; then exit "$status"; fi
		say "restarting it in $delay s"
		sleep $delay &
		pause=$!
		[ -z "$stopping" ] || stop
		await $pause
		pause=
		[ -z "$stopping" ] || exit 0
		restarts=$((restarts + 1)) delay=$((delay < 30 ? delay * 2 : 60))
	done
}
