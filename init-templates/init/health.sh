# Checks the application's health.

# Sets health_file. Later the application could make a link of that name, which root would follow.
create_health_directory() {
	for directory in /run /dev/shm; do
		[ -d $directory ] && mkdir -p $directory/lxdocker 2>/dev/null && break
	done
	health_file=$directory/lxdocker/health
}

# publish_health starting|healthy|unhealthy. A rename, since readers shall never see an empty file.
publish_health() {
	[ "$1" != "$health" ] || return 0
	health=$1
	echo "$health" >"$health_file.new" && mv "$health_file.new" "$health_file"
	log_line "health: $health"
}

open_check_pipes() {
	mkfifo -m 600 $state/requests $state/results
	exec 5<>$state/requests 7<>$state/results
	exec 6<$state/requests 8<$state/results
	rm $state/requests $state/results
}

# `sh -c "$exec_check" FILE` reports its process id, which is its process group's, too, and executes the check.
exec_check='printf "%d " $$ >&7; exec 7>&-; '$exec_words

# Starts the check runner, which is no background job, so that checks ignore no signal (see start_program), and the
# health watcher, which asks it for checks; sets health_watcher to its process id. The check runner ends with the watcher.
start_health_watcher() {
	open_check_pipes
	setsid setsid sh -c '
		while read -r _ <&6; do
			setsid timeout -s KILL "$1" sh -c "$2" "$3" >/dev/null 2>&1 </dev/null 6<&-
			echo $? >&7
		done
	' lxdocker "$health_timeout" "$exec_check" $state/check_command 5>&- 8<&-
	watch_health &
	health_watcher=$!
	exec 5>&- 6<&- 7>&- 8<&-
}

# An application that is asked to end may well be unhealthy until it has.
stop_health_watcher() {
	kill_child "$health_watcher"
	health_watcher=
}

# At its timeout only the check itself is killed, with status 137; its children have to follow.
is_healthy() {
	echo >&5
	read -r check_group check_status <&8
	[ "$check_status" != 137 ] || kill -s KILL "-$check_group" 2>/dev/null
	[ "$check_status" = 0 ]
}

# A sleep survives the watcher and must not keep the check runner alive.
sleep_without_pipes() { sleep "$1" 5>&- 8<&-; }

# Runs until PID 1 kills it.
watch_health() {
	exec 6<&- 7>&-
	watch_started=$(print_uptime_seconds) failures=0 health=''
	publish_health starting
	while :; do
		if [ "$health" = starting ] && [ $(($(print_uptime_seconds) - watch_started)) -lt "$health_start_period" ]; then
			failure_counts=false
			sleep_without_pipes "$health_start_interval"
		else
			failure_counts=true
			sleep_without_pipes "$health_interval"
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
			kill -s "$stop_signal" "$program"
			sleep_without_pipes 10
			kill -s KILL "$program"
		fi
	done
}
