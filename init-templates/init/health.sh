# Checks the health of the application.

say_health() {
	[ "$1" != "$healthy" ] || return 0
	healthy=$1
	for directory in /run /dev/shm; do
		[ -d $directory ] || continue
		mkdir -p $directory/lxdocker 2>/dev/null && echo "$1" >$directory/lxdocker/health && break
	done
	say "health: $1"
}

# A process that runs a check for every line of the FIFO `ask`, so that checks ignore no signal; see spawn.
spawn_checker() {
	rm -f $state/ask $state/answer
	mkfifo -m 600 $state/ask $state/answer
	# shellcheck disable=SC2016
	setsid setsid sh -c '
		exec 3<>"$1/answer"
		while read -r _; do
			timeout -s KILL "$3" sh -c "$2" "$1/check" >/dev/null 2>&1 </dev/null 3>&-
			echo $? >&3
		done <"$1/ask"
	' lxdocker $state "$become" "$health_timeout"
}

check_health() {
	echo >&5
	read -r answer <$state/answer
	[ "$answer" = 0 ]
}

# Runs beside the application, as long as that does.
watch_health() {
	exec 5>$state/ask
	begun=$(now) failures=0 healthy=''
	say_health starting
	while :; do
		if [ "$healthy" = starting ] && [ $(($(now) - begun)) -lt "$health_start_period" ]; then
			early=true
			sleep "$health_start_interval"
		else
			early=false
			sleep "$health_interval"
		fi
		if check_health; then
			failures=0
			say_health healthy
		elif [ $early = false ]; then
			failures=$((failures + 1))
			[ $failures -lt "$health_retries" ] || say_health unhealthy
		fi
		if [ "$healthy" = unhealthy ] && [ "$restart_unhealthy" = true ]; then
			: >$state/unhealthy
			kill -s "$stop_signal" "$application"
			sleep 10
			kill -s KILL "$application"
		fi
	done
}
