# Boots, step by step, then runs the application.

stopping='' program='' health_watcher='' restart_pause=''
mkdir -m 700 $state
mount_shared_memory
mount_tmp_and_run
restore_init
write_names
set_network_sysctls
configure_interfaces
run_prelaunch_script

workdir=${LXDOCKER_WORKDIR:-$workdir} user=${LXDOCKER_USER:-$user} restart=${LXDOCKER_RESTART:-$restart}
resolve_stop_signal "${LXDOCKER_STOP_SIGNAL:-$image_stop_signal}"
resolve_user
chown "$uid" /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2
mkdir -p "$workdir"
cd "$workdir" || exit_with_error "$workdir: cannot be the working directory"
write_launch_prefix
# By way of a file: the last stage of a pipeline is a subshell, in which an error would not end PID 1.
print_application_words >$state/words
cp $state/launch_prefix $state/application_command
resolve_program <$state/words >>$state/application_command
if [ "$supervised" = true ]; then
	print_health_check >$state/words
	if [ -s $state/words ]; then
		create_health_directory
		cp $state/launch_prefix $state/check_command
		# A check whose program is not there fails each time.
		(resolve_program <$state/words >>$state/check_command) || print_words false >$state/check_command
	fi
	supervise
else
	exec sh -c "$exec_words" $state/application_command
fi
