#!/bin/sh
# Fetches the static busybox of each architecture, makes the demo image of this machine's.
set -eu
cd "$(dirname "$0")"
case $(uname -m) in
x86_64) architecture=amd64 ;;
aarch64) architecture=arm64 ;;
armv7l) architecture=armhf ;;
i?86) architecture=i386 ;;
ppc64le) architecture=ppc64el ;;
*) architecture=$(uname -m) ;;
esac
./fetch.sh "$architecture"
for other in $(sed 's/#.*//; s/ .*//' pins); do
	[ "$other" = "$architecture" ] || ./fetch.sh "$other" || echo "busybox: images for $other cannot be built" >&2
done
if [ ! -f hello/index.json ] || [ -n "$(find hello.sh hello.html "$architecture/busybox" -newer hello/index.json)" ]; then
	echo "busybox/hello: the image of specs/hello.yaml" >&2
	./hello.sh "$architecture/busybox" "$architecture" hello
fi
