#!/bin/sh
# Makes the layer below all servers, a small Debian 12: base.sh DIR, as root.
#
# DIR/base is its tree, in which layer.sh installs; DIR/base.tar.gz is what is in an image. What this very script made stays as it is.
# What is there is whole: it is made beside, then renamed.
set -eu
dir=$1
script=$(sha256sum <"$0")

mkdir -p "$dir/archives/partial"
exec 9>"$dir/lock"
flock 9
[ "$(cat "$dir/base/made-by" 2>/dev/null)" != "$script" ] || exit 0
clear() { rm -rf --one-file-system "$dir/base.new" "$dir/base.old" "$dir/base.tar.gz.new"; }
clear
trap clear EXIT
trap 'exit 130' INT TERM HUP

echo "making $dir/base: a small Debian" >&2

# The machine's own mirror of Debian. apt knows it once it has fetched its lists.
# shellcheck disable=SC2016
print_mirror() { apt-get indextargets --format '$(REPO_URI)' 'Label: Debian' 'Component: main' 2>/dev/null | head -n 1; }
[ -n "$(print_mirror)" ] || apt-get update -qq
mirror=$(print_mirror)

# What mmdebstrap mounts or starts vanishes with it, however it ends.
unshare --mount --pid --fork --kill-child --mount-proc mmdebstrap --quiet --mode=root --variant=minbase --format=directory \
	--skip=cleanup/apt/lists \
	--dpkgopt='path-exclude=/usr/share/doc/*' \
	--dpkgopt='path-exclude=/usr/share/info/*' \
	--dpkgopt='path-exclude=/usr/share/locale/*' \
	--dpkgopt='path-exclude=/usr/share/man/*' \
	bookworm "$dir/base.new" "${mirror:?apt knows no mirror of Debian}"
chmod 755 "$dir/base.new"
tar --create --sort=name --numeric-owner --exclude='./var/lib/apt/lists/*' --exclude='./var/cache/apt/*' --exclude='./dev/*' \
	--directory "$dir/base.new" . | gzip -1n >"$dir/base.tar.gz.new"
# What was above the old one is above nothing now.
rm -f "$dir"/*.made-by "$dir"/*.tar.gz
mv "$dir/base.tar.gz.new" "$dir/base.tar.gz"
echo "$script" >"$dir/base.new/made-by"
[ ! -e "$dir/base" ] || mv "$dir/base" "$dir/base.old"
mv "$dir/base.new" "$dir/base"
