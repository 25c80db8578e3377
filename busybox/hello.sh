#!/bin/sh
# Builds the OCI image of specs/hello.yaml around a static busybox: hello.sh BUSYBOX ARCHITECTURE LAYOUT
set -eu
busybox=$1 architecture=$2 layout=$3
here=$(dirname "$0")
bundle=$(mktemp -d)
trap 'rm -rf "$bundle"' EXIT

rm -rf "$layout"
umoci init --layout "$layout"
umoci new --image "$layout:latest"
umoci unpack --image "$layout:latest" "$bundle/image" >/dev/null
rootfs=$bundle/image/rootfs
mkdir -p "$rootfs/bin" "$rootfs/www"
install -m 755 "$busybox" "$rootfs/bin/busybox"
install -m 644 "$here/hello.html" "$rootfs/www/index.html"
find "$rootfs" -exec touch --no-dereference --date=@0 {} +
umoci repack --image "$layout:latest" --history.created=1970-01-01T00:00:00Z "$bundle/image" >/dev/null
umoci config --image "$layout:latest" --architecture "$architecture" --created 1970-01-01T00:00:00Z \
	--history.created 1970-01-01T00:00:00Z --config.entrypoint /bin/busybox --config.cmd httpd --config.cmd -f --config.cmd -h --config.cmd /www \
	--config.exposedports 80/tcp
umoci gc --layout "$layout" >/dev/null
