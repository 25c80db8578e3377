# The boot, step by step.

stopping='' application='' pause=''
[ "$supervised" = false ] || trap stop PWR TERM INT
mkdir -m 700 $state
mount_shared_memory
mount_runtime_directories
give_back_init
set_kernel_parameters
configure_network
[ ! -s /lxd-prelaunch ] || /lxd-prelaunch || say "/lxd-prelaunch ended with status $?"

workdir=${LXDOCKER_WORKDIR:-$workdir} user=${LXDOCKER_USER:-$user} restart=${LXDOCKER_RESTART:-$restart}
resolve_stop_signal "${LXDOCKER_STOP_SIGNAL:-$stop_signal}"
resolve_user
chown "$uid" /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2
mkdir -p "$workdir"
cd "$workdir" || fail "$workdir: cannot be the working directory"
write_prefix
application_words >$state/words
resolve_program <$state/words >$state/application
cat $state/prefix $state/application >$state/command
[ -z "$stopping" ] || exit 0
if [ "$supervised" = true ]; then
	image_health >$state/words
	[ ! -s $state/words ] || (resolve_program <$state/words | cat $state/prefix - >$state/check)
	for signal in HUP USR1 USR2 WINCH; do
		# shellcheck disable=SC2064
		trap "pass_on $signal" $signal
	done
	supervise
else
	exec sh -c "$become" $state/command
fi
