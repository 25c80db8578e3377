# Prepares what an OCI runtime prepares: file systems, volumes.

# `mount -a` leaves out what is mounted. LXD 5.0 leaves /sys/fs/cgroup empty. It is writable as under Incus, since systemd needs that.
mount_kernel_filesystems() {
	mounts=$(awk 1 /proc/self/mountinfo) # cat would be executed, awk is only forked
	mkdir -p /dev/shm /dev/mqueue
	set -- /sys/fs/cgroup/*
	if [ -d /sys/fs/cgroup ] && [ ! -e "$1" ]; then cgroup='cgroup /sys/fs/cgroup cgroup2 nosuid,nodev,noexec'; else cgroup=''; fi
	mount -a -T /proc/self/fd/0 <<-end
		shm /dev/shm tmpfs nosuid,nodev,noexec,mode=1777${shm_size:+,size=$shm_size}
		mqueue /dev/mqueue mqueue nosuid,nodev,noexec
		$cgroup
	end
	[ -z "$volumes" ] || eval "mkdir -p -- $volumes" 2>/dev/null # those below /dev
}

# As runc does: with the mode of the directory below. A device of the instance on the same path wins.
mount_tmpfs() {
	eval "set -- $tmpfs"
	for entry; do
		directory=${entry%%:*} options=nosuid,nodev,noexec
		case $mounts in *" $directory r"[ow]*) continue ;; esac
		if [ -d "$directory" ]; then options=$options,mode=$(stat -L -c %a "$directory"); else mkdir -p "$directory"; fi
		case $entry in *:?*) options=$options,${entry#*:} ;; esac
		mount -t tmpfs -o "$options" tmpfs "$directory"
	done
}

# What a volume is like once it has been seen, and hardly another one in its place.
print_volume_identity() { echo "$1 $(stat -c '%i %a' "$1") $(stat -f -c %i "$1")"; }

# Unfinished copies, lost+found, and directories that a mount below the volume needs do not count.
is_empty_volume() {
	find $state/volume -mindepth 1 -maxdepth 1 ! -name lost+found ! -name '.lxdocker-*' | while IFS= read -r entry; do
		grep -Fq -e "$1/${entry##*/}/" $state/points && [ -z "$(find "$entry" ! -type d)" ] || exit 1
	done
}

# Bind mounts show what other mounts hide. The files are copied, then moved: what a stop interrupts starts anew, and nobody sees half.
fill_volume() {
	! grep -Fqsx -e "$(print_volume_identity "$1")" /lxd-volumes || return 0
	image=$state/image$1 copy=$state/volume/.lxdocker-$hostname
	mkdir -p $state/image $state/volume
	mount --bind / $state/image
	mount --bind "$1" $state/volume
	if [ ! -d "$copy.whole" ] && [ -d "$image" ] && is_empty_volume "$1"; then
		[ -z "$(ls -A "$image")" ] || log_line "$1: a new volume gets the image's files"
		rm -rf "$copy"
		mkdir "$copy"
		cp -a "$image/." "$copy/" || exit_with_error "$1: cannot copy the image's files to the new volume$(rm -rf "$copy")"
		if is_empty_volume "$1"; then mv "$copy" "$copy.whole"; else rm -rf "$copy"; fi
	fi
	if [ -d "$copy.whole" ]; then
		# A directory that a mount below needs cannot be replaced; what belongs into it is copied.
		find "$copy.whole" -mindepth 1 -maxdepth 1 -exec mv -t $state/volume {} + 2>/dev/null
		cp -af "$copy.whole/." $state/volume/
		rm -rf "$copy.whole"
	fi
	umount $state/image $state/volume
	print_volume_identity "$1" >>/lxd-volumes
}

# Fills new volumes as Docker does: an empty directory of root's gets the image's files, owner and mode when it is first seen.
# Volumes are what is mounted at a VOLUME of the image, and the custom volumes of the daemon, which the name of their source tells.
fill_volumes() {
	[ -n "$volumes" ] || case $mounts in *custom[/_]*) ;; *) return ;; esac
	grep -Ev '^([^ ]+ ){4}/((dev|proc|sys)(/[^ ]*)?)? ' /proc/self/mountinfo >$state/mounts
	cut -d ' ' -f 5 $state/mounts | while read -r point; do printf '%b/\n' "$point"; done >$state/points
	while read -r _ _ _ root point options rest; do
		volume=$(printf '%b' "$point")
		case $options in ro | ro,*) continue ;; esac
		[ -d "$volume" ] || continue
		if [ ! -O "$volume" ]; then
			rm -rf "$volume/.lxdocker-$hostname.whole" # what a kill in the very last moments of a copy has left
			continue
		fi
		case "$root $rest" in *custom[/_]*_*) ;; *) eval "realpath -- $volumes" 2>/dev/null | grep -Fqx -e "$volume" || continue ;; esac
		fill_volume "$volume"
	done <$state/mounts
}
