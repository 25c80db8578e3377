# Mounts what an OCI runtime would.

mounted() { grep -q " $1 " /proc/mounts; }

mount_shared_memory() {
	mkdir -p /dev/shm
	mounted /dev/shm || mount -t tmpfs -o nosuid,nodev,noexec,mode=1777 shm /dev/shm
}

# What an image ships in /tmp or /run stays visible: only an empty directory becomes a tmpfs.
mount_runtime_directories() {
	for directory in /tmp /run; do
		if [ ! -d $directory ] || [ -L $directory ] || [ -n "$(ls -A $directory)" ]; then continue; fi
		mounted $directory || mount -t tmpfs -o "nosuid,nodev,$(stat -c mode=%a,uid=%u,gid=%g $directory)" tmpfs $directory
	done
}

give_back_init() {
	[ ! -f /lxd-realinit ] || mount --bind /lxd-realinit /sbin/init
}
