# Checks the application's health.

# publish_health starting|healthy|unhealthy. A rename, since readers shall never see an empty file.
publish_health() {
	[ "$1" != "$health" ] || return 0
	health=$1
	echo "$health" >"$health_file.new" && mv "$health_file.new" "$health_file"
	log_line "health: $health"
}

start_health_watcher() { [ -z "$health_test" ] || setsid setsid sh $state/init watch 3>&- 5>&- | head -n 1 >$state/watcher; }

# The watcher before its check: until that has its own session, it is in the watcher's.
stop_health_watcher() {
	for name in watcher checking; do read -r group <$state/$name && kill -s KILL "-$group"; done
	rm -f $state/watcher $state/checking
} 2>/dev/null

watch_health() {
	echo $$
	exec >&2
	. $state/settings
	IFS=. read -r watch_started _ </proc/uptime
	failures=0 health=''
	publish_health starting
	while :; do
		interval=$health_interval counting=1
		IFS=. read -r now _ </proc/uptime
		if [ "$health" = starting ] && [ $((now - watch_started)) -lt "$health_start_period" ]; then
			interval=$health_start_interval counting=0
		fi
		sleep "$interval"
		run_program checking exec setsid timeout -s KILL "$health_timeout" sh $state/init check >/dev/null 2>&1 </dev/null
		# At its timeout only the check itself is killed, with status 137; its children have to follow.
		[ "$status" != 137 ] || kill -s KILL "-$session" 2>/dev/null
		if [ "$status" = 0 ]; then
			failures=0
			publish_health healthy
		else
			failures=$((failures + counting))
			[ $failures -lt "$health_retries" ] || publish_health unhealthy
		fi
		if [ "$health" = unhealthy ] && [ "$restart_unhealthy" = true ]; then
			: >$state/unhealthy
			signal_program "$stop_signal"
			sleep 10
			signal_program KILL
		fi
	done
}
