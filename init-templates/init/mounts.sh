# Mounts what an OCI runtime mounts.

is_mounted() { grep -q " $1 " /proc/mounts; }

mount_shared_memory() {
	mkdir -p /dev/shm
	is_mounted /dev/shm || mount -t tmpfs -o nosuid,nodev,noexec,mode=1777 shm /dev/shm
}

# A tmpfs would hide what an image ships in /tmp or /run, so only an empty directory gets one.
mount_tmp_and_run() {
	for directory in /tmp /run; do
		if [ ! -d $directory ] || [ -L $directory ] || [ -n "$(ls -A $directory)" ]; then continue; fi
		is_mounted $directory || mount -t tmpfs -o "nosuid,nodev,$(stat -c mode=%a,uid=%u,gid=%g $directory)" tmpfs $directory
	done
}

# Gives the image's own /sbin/init back, for programs that look at it: over this script, or by hiding the script, which /sbin/init
# then leads to.
restore_init() {
	if [ -d /lxd-realinit ]; then
		mount --bind /lxd-realinit/given /lxd-realinit
	elif [ -e /lxd-realinit ]; then
		mount --bind /lxd-realinit /sbin/init
	fi
}
