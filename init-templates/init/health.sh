# Checks the application's health.

# publish_health starting|healthy|unhealthy
publish_health() {
	[ "$1" != "$health" ] || return 0
	health=$1
	for directory in /run /dev/shm; do
		[ -d $directory ] || continue
		mkdir -p $directory/lxdocker 2>/dev/null && echo "$1" >$directory/lxdocker/health && break
	done
	log_line "health: $1"
}

# Starts the check runner: it runs one check for each line that it reads from the FIFO check_request. It is no background
# job, so that checks ignore no signal; see start_application.
start_check_runner() {
	rm -f $state/check_request $state/check_result
	mkfifo -m 600 $state/check_request $state/check_result
	setsid setsid sh -c '
		exec 3<>"$1/check_result"
		while read -r _; do
			timeout -s KILL "$3" sh -c "$2" "$1/check_command" >/dev/null 2>&1 </dev/null 3>&-
			echo $? >&3
		done <"$1/check_request"
	' lxdocker $state "$exec_words" "$health_timeout"
}

is_healthy() {
	echo >&5
	read -r check_status <$state/check_result
	[ "$check_status" = 0 ]
}

# The health watcher: a child of PID 1 that lives as long as the application does.
watch_health() {
	exec 5>$state/check_request
	watch_started=$(print_uptime_seconds) failures=0 health=''
	publish_health starting
	while :; do
		if [ "$health" = starting ] && [ $(($(print_uptime_seconds) - watch_started)) -lt "$health_start_period" ]; then
			failure_counts=false
			sleep "$health_start_interval"
		else
			failure_counts=true
			sleep "$health_interval"
		fi
		if is_healthy; then
			failures=0
			publish_health healthy
		elif [ $failure_counts = true ]; then
			failures=$((failures + 1))
			[ $failures -lt "$health_retries" ] || publish_health unhealthy
		fi
		if [ "$health" = unhealthy ] && [ "$restart_unhealthy" = true ]; then
			: >$state/unhealthy
			kill -s "$stop_signal" "$application"
			sleep 10
			kill -s KILL "$application"
		fi
	done
}
