# Does what the script was started for.

check_settings() {
	case $restart in
	no | always | on-failure) ;;
	on-failure:[1-9]*) is_number "${restart#*:}" ;;
	*) false ;;
	esac || exit_with_error "LXDOCKER_RESTART: not no, always, on-failure or on-failure:N: $restart"
	case $log in '' | /*) ;; *) exit_with_error "LXDOCKER_LOG: not an absolute path: $log" ;; esac
	is_number "${stop_timeout#-}" || exit_with_error "LXDOCKER_STOP_TIMEOUT: not a number of seconds: $stop_timeout"
}

boot() {
	supervisor=$$ health_file='' check='' writer=''
	mount_kernel_filesystems
	fill_volumes
	mount_tmpfs
	restore_init
	set_network_sysctls
	configure_interfaces
	run_prelaunch_script

	workdir=${LXDOCKER_WORKDIR:-$workdir} user=${LXDOCKER_USER:-$user}
	restart=${LXDOCKER_RESTART:-$restart} log=${LXDOCKER_LOG:-$log} stop_timeout=${LXDOCKER_STOP_TIMEOUT:-$stop_timeout}
	check_settings
	resolve_stop_signal "${LXDOCKER_STOP_SIGNAL:-$image_stop_signal}"
	resolve_user
	mkdir -p "$workdir"
	cd "$workdir" || exit_with_error "$workdir: cannot be the working directory"
	collect_variables
	application=$(print_command "$(print_application_words)") || exit 127
	if [ -n "$health_test" ]; then
		create_health_directory
		check=$(print_command "$health_test") || check=false # it fails each time
	fi
	choose_streams "$application"
	(umask 077 && : >$state/unfinished)
	for name in supervisor uid gid groups home path workdir variables application check stop_signal health_file tty writer; do
		printf %s "$name="
		eval "print_quoted \"\$$name\""
		echo
	done >$state/unfinished
	mv $state/unfinished $state/settings
}

case ${1-} in
'') # PID 1 lets the supervisor boot, then becomes the application's user, or the application
	raise_limits
	mkdir -p $state
	mount -t tmpfs -o nosuid,nodev,mode=711 lxdocker $state
	cp "$0" $state/init
	start_supervisor
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
exec) run_beside "$@" ;;
relay) end_with_supervisor "$2" "${3-}" ;;
names) write_names ;;
watch) watch_health ;;
esac
