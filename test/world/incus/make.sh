#!/bin/sh
# Makes the Debian in which the tests run Incus: make.sh DIR, as root.
#
# A DIR that this very script made stays as it is. One that is there is whole: it is made beside, then renamed.
set -eu
dir=$1
made_by=$(sha256sum <"$0")

mkdir -p "$(dirname "$dir")"
exec 9>"$dir.lock"
flock 9
[ "$(cat "$dir/made-by" 2>/dev/null)" != "$made_by" ] || exit 0
clear() { rm -rf --one-file-system "$dir.new" "$dir.old"; }
clear
trap clear EXIT
trap 'exit 130' INT TERM HUP

echo "making $dir: a Debian with Incus" >&2

# The machine's own mirror of Debian. apt knows it once it has fetched its lists.
# shellcheck disable=SC2016
mirror() { apt-get indextargets --format '$(REPO_URI)' 'Label: Debian' 'Component: main' 2>/dev/null | head -n 1; }
[ -n "$(mirror)" ] || apt-get update -qq
uri=$(mirror)

# A mirror may have stood still for longer than Debian's testing may be old; its signature counts all the same.
# What mmdebstrap mounts or starts vanishes with it, however it ends.
unshare --mount --pid --fork --kill-child --mount-proc mmdebstrap --quiet --mode=root --variant=essential --format=directory \
	--include=incus-base,incus-client,dnsmasq-base,systemd-standalone-sysusers,zstd,xdelta3 \
	--aptopt='Acquire::Check-Valid-Until "false"' \
	--dpkgopt='path-exclude=/usr/lib/cni/*' \
	--dpkgopt='path-exclude=/usr/share/doc/*' \
	--dpkgopt='path-exclude=/usr/share/info/*' \
	--dpkgopt='path-exclude=/usr/share/locale/*' \
	--dpkgopt='path-exclude=/usr/share/man/*' \
	forky "$dir.new" "${uri:?apt knows no mirror of Debian}"

echo root:1000000:1000000000 | tee "$dir.new/etc/subuid" >"$dir.new/etc/subgid"
chmod 755 "$dir.new"
echo "$made_by" >"$dir.new/made-by"
sync -f "$dir.new"
[ ! -e "$dir" ] || mv "$dir" "$dir.old"
mv "$dir.new" "$dir"
