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

# Puts the image's own /sbin/init back over this script, for programs that look at it.
restore_init() {
	[ ! -f /lxd-realinit ] || mount --bind /lxd-realinit /sbin/init
}
