#!/bin/sh
# Installs what lxdocker needs and a fresh machine lacks: scripts/setup.sh, or --test for what its tests need as well.
set -eu
unset NODE_OPTIONS
cd "$(dirname "$0")/.."

# command:Debian package
tools='setpriv:util-linux bwrap:bubblewrap skopeo:skopeo umoci:umoci tar:tar zstd:zstd xz:xz-utils openssl:openssl mksquashfs:squashfs-tools getfattr:attr newuidmap:uidmap xdelta3:xdelta3 curl:curl'

case $* in '' | --test) test=$* ;; *) echo "usage: scripts/setup.sh [--test]" >&2 && exit 2 ;; esac
[ -z "$test" ] || . test/packages.sh

say() { echo "setup: $*" >&2; }

# Debian's tools lie in directories that an ordinary user's PATH lacks.
PATH=$PATH:/usr/sbin:/sbin

missing=''
for tool in $tools; do
	command -v "${tool%%:*}" >/dev/null || missing="$missing ${tool#*:}"
done
[ -z "$test" ] || missing="$missing$(print_other_packages)"

if [ -n "$missing" ]; then
	command -v apt-get >/dev/null ||
		{ say "this is neither Debian nor Ubuntu: please install$missing (names of Debian's packages)" && exit 1; }
	sudo=$([ "$(id -u)" = 0 ] || echo sudo)
	say "installing$missing"
	[ -z "$test" ] || forbid_services "$sudo"
	$sudo apt-get update -qq
	# shellcheck disable=SC2086
	$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

# Install scripts of packages never run; what only the tests need is left out elsewhere.
# shellcheck disable=SC3013 # every sh of Debian and Ubuntu knows -nt
if [ ! -f node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ] ||
	{ [ -n "$test" ] && [ ! -d node_modules/typescript ]; }; then
	say "npm ci"
	npm ci --omit=dev ${test:+--include=dev} --ignore-scripts --no-audit --no-fund --loglevel=error
fi

busybox/make.sh
[ -z "$test" ] || make_worlds
