#!/bin/sh
# Makes a layer of Debian's packages above the base: layer.sh DIR NAME BEFORE PACKAGES AFTER, as root.
#
# DIR/NAME.tar.gz is what is new once the shell script BEFORE, the installation and the shell script AFTER have run. What was made of
# the same stays as it is. What is there is whole: it is made beside, then renamed.
set -eu

# The second half, in mounts and processes of its own: installs into memory above the base.
if [ "$1" = --install ]; then
	dir=$2 file=$3 before=$4 packages=$5 after=$6
	mount -t tmpfs tmpfs /mnt
	mkdir /mnt/upper /mnt/work /mnt/root
	mount -t overlay -o "lowerdir=$dir/base,upperdir=/mnt/upper,workdir=/mnt/work,redirect_dir=off,metacopy=off" overlay /mnt/root
	cd /mnt/root
	mount -t proc proc proc
	mount -t tmpfs tmpfs dev
	for device in null zero full random urandom tty; do touch dev/$device && mount --bind /dev/$device dev/$device; done
	ln -s /proc/self/fd dev/fd
	# No service starts meanwhile.
	printf '#!/bin/sh\nexit 101\n' >usr/sbin/policy-rc.d
	chmod 755 usr/sbin/policy-rc.d
	cat /etc/resolv.conf >/mnt/resolv.conf
	mount --bind /mnt/resolv.conf etc/resolv.conf
	mount --bind "$dir/archives" var/cache/apt/archives
	inside() { env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 HOME=/root chroot . "$@"; }
	# A mirror forgets the packages that lists of another day name.
	[ -n "$(find var/lib/apt/lists -maxdepth 0 -mtime -1)" ] || inside apt-get update -qq
	inside sh -euc "$before"
	# shellcheck disable=SC2086
	inside apt-get install --yes -qq --no-install-recommends -o Dpkg::Use-Pty=0 -o APT::Keep-Downloaded-Packages=true $packages
	inside sh -euc "$after"
	rm usr/sbin/policy-rc.d
	cd /
	umount --recursive /mnt/root
	cd /mnt/upper
	# An overlay's marks become those of a layer.
	find . -type c | while read -r gone; do rm "$gone" && touch "${gone%/*}/.wh.${gone##*/}"; done
	find . -type d | while read -r path; do
		[ "$(getfattr --only-values -n trusted.overlay.opaque "$path" 2>/dev/null)" != y ] || touch "$path/.wh..wh..opq"
	done
	rm -rf dev proc tmp etc/resolv.conf var/cache/apt var/cache/debconf var/cache/ldconfig var/lib/apt var/log/apt var/log/dpkg.log
	tar --create --sort=name --numeric-owner --xattrs --xattrs-include=security.capability . | gzip -1n >"$file"
	exit
fi

dir=$1 name=$2
shift 2
of=$(printf '%s\n' "$(sha256sum <"$0")" "$@" | sha256sum)

exec 9>"$dir/lock"
flock 9
[ "$(cat "$dir/$name.made-by" 2>/dev/null)" != "$of" ] || exit 0
new=$dir/$name.tar.gz.new
trap 'rm -f "$new" "$new.log"' EXIT
trap 'exit 130' INT TERM HUP

echo "making $dir/$name: $2" >&2
unshare --mount --pid --fork --kill-child --mount-proc "$0" --install "$dir" "$new" "$@" >"$new.log" 2>&1 || {
	cat "$new.log" >&2
	exit 1
}
rm -f "$dir/$name.made-by"
mv "$new" "$dir/$name.tar.gz"
echo "$of" >"$dir/$name.made-by"
