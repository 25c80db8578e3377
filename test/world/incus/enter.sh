#!/bin/sh
# Runs a program in another root file system: unshare --mount enter.sh ROOT SHARED PROGRAM [ARGUMENT…]
#
# ROOT itself stays as it is: what gets written goes to memory, except below SHARED, a directory that both worlds see.
# Processes, network, devices are those outside; only cgroups are seen as Incus wants them, version 2.
set -eu
root=$1 shared=$2
shift 2

mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay -o "lowerdir=$root,upperdir=/mnt/upper,workdir=/mnt/work" overlay /mnt/root
cd /mnt/root
mkdir -p ".$shared"
mount --rbind "$shared" ".$shared"
mount --rbind /dev dev
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
pivot_root . mnt
umount -l /mnt
PATH=/usr/sbin:/usr/bin exec "$@"
