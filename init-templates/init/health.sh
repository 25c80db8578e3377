# Checks the health of the application.

say_health() {
	[ "$1" != "$healthy" ] || return 0
	healthy=$1
	for directory in /run /dev/shm; do
		mkdir -p $directory/lxdocker 2>/dev/null && echo "$1" >$directory/lxdocker/health && break
	done
	say "health: $1"
}

check_health() {
	timeout -s KILL "$health_timeout" sh -c "$become" $state/check >/dev/null 2>&1 </dev/null
}

# Runs beside the application, as long as that does.
watch_health() {
	[ -s $state/check ] || return 0
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
