#!/bin/sh
# Installs what lxdocker needs and a fresh machine lacks: scripts/setup.sh, or --test for what its tests need as well.
set -eu
unset NODE_OPTIONS
cd "$(dirname "$0")/.."

# command:Debian package
tools='setpriv:util-linux bwrap:bubblewrap skopeo:skopeo umoci:umoci tar:tar zstd:zstd xz:xz-utils openssl:openssl mksquashfs:squashfs-tools getcap:libcap2-bin xdelta3:xdelta3'
tests='git:git update-ca-certificates:ca-certificates lxd:lxd lxc:lxd-client dnsmasq:dnsmasq-base docker-registry:docker-registry shellcheck:shellcheck gcc:gcc setfattr:attr
	curl:curl unshare:util-linux nsenter:util-linux mmdebstrap:mmdebstrap ip:iproute2 setcap:libcap2-bin
	busybox:busybox-static qemu-aarch64-static:qemu-user-static htpasswd:apache2-utils nginx:nginx-light caddy:caddy wrk:wrk chromium:chromium'

test=''
case ${1-} in
'') ;;
--test) test=yes tools="$tools $tests" ;;
*)
	echo "usage: scripts/setup.sh [--test]" >&2
	exit 2
	;;
esac

say() { echo "setup: $*" >&2; }

# Debian's tools lie in directories that an ordinary user's PATH lacks.
PATH=$PATH:/usr/sbin:/sbin

is_static() { ! LC_ALL=C ldd "$1" 2>/dev/null | grep -q '=>'; }

missing=''
for tool in $tools; do
	command -v "${tool%%:*}" >/dev/null || missing="$missing ${tool#*:}"
done
busybox=$(command -v busybox || true)
if [ -n "$test" ] && [ -n "$busybox" ] && ! is_static "$busybox"; then missing="$missing busybox-static"; fi

keyring=/usr/share/keyrings/debian-archive-keyring
if [ -n "$test" ] && [ ! -e $keyring.gpg ] && [ ! -e $keyring.pgp ]; then missing="$missing debian-archive-keyring"; fi

if [ -n "$missing" ]; then
	if ! command -v apt-get >/dev/null; then
		say "this is neither Debian nor Ubuntu: please install$missing (names of Debian's packages)"
		exit 1
	fi
	sudo=''
	[ "$(id -u)" = 0 ] || sudo=sudo
	say "installing$missing"
	# Services that the packages bring shall not start: the tests run their own.
	guard=/usr/sbin/policy-rc.d
	if [ -e $guard ]; then guard=''; else printf '#!/bin/sh\nexit 101\n' | $sudo tee $guard >/dev/null && $sudo chmod 755 $guard; fi
	trap '[ -z "$guard" ] || $sudo rm -f "$guard"' EXIT
	$sudo apt-get update -qq
	# shellcheck disable=SC2086
	$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

# Install scripts of packages never run; what only the tests need is left out elsewhere.
flags=--omit=dev
[ -z "$test" ] || flags=--include=dev
# shellcheck disable=SC3013 # every sh of Debian and Ubuntu knows -nt
if [ ! -f node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ] ||
	{ [ -n "$test" ] && [ ! -d node_modules/typescript ]; }; then
	say "npm ci"
	npm ci $flags --ignore-scripts --no-audit --no-fund --loglevel=error
fi

# The static busybox of each architecture, and the demo image that is made of it.
case $(uname -m) in
x86_64) architecture=amd64 ;;
aarch64) architecture=arm64 ;;
armv7l) architecture=armhf ;;
i?86) architecture=i386 ;;
ppc64le) architecture=ppc64el ;;
*) architecture=$(uname -m) ;;
esac
busybox/fetch.sh "$architecture"
for other in $(sed 's/#.*//; s/ .*//' busybox/pins); do
	[ "$other" = "$architecture" ] || busybox/fetch.sh "$other" || say "images for $other cannot be built"
done
if [ ! -f busybox/hello/index.json ] || [ -n "$(find busybox/hello.sh busybox/hello.html "busybox/$architecture/busybox" -newer busybox/hello/index.json)" ]; then
	say "busybox/hello: the image of specs/hello.yaml"
	busybox/hello.sh "busybox/$architecture/busybox" "$architecture" busybox/hello
fi

if [ -n "$test" ] && [ "$(id -u)" = 0 ]; then
	test/world/incus/make.sh /var/cache/lxdocker/incus
	node --import=tsx test/real/make.ts
fi
