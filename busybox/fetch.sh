#!/bin/sh
# Fetches the static busybox of architectures from Debian's packages, with no change to apt or dpkg: fetch.sh ARCHITECTURE…
set -eu
cd "$(dirname "$0")"
helper=/usr/lib/apt/apt-helper
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# This machine's mirrors first. A package that has left the pool is in Debian's archive of everything.
sources() {
	apt-get indextargets --no-release-info --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null | sort -u | sed "s|/*$|/$1|"
	echo "http://ftp.debian.org/debian/$1"
	echo "http://snapshot.debian.org/file/$2"
}

fetch() {
	for source in $(sources "$4" "$3"); do
		if $helper download-file "$source" "$tmp/deb" "SHA256:$2" >"$tmp/log" 2>&1; then
			dpkg-deb --fsys-tarfile "$tmp/deb" | tar -xO --wildcards './*bin/busybox' >"$tmp/busybox"
			echo "$1  $tmp/busybox" | sha256sum --check --status
			return
		fi
	done
	return 1
}

for architecture; do
	pin=$(grep "^$architecture " pins) || { echo "busybox: pins has no $architecture" >&2 && exit 2; }
	# shellcheck disable=SC2086
	set -- $pin
	if echo "$2  $1/busybox" | sha256sum --check --status 2>/dev/null; then continue; fi
	echo "busybox: $5" >&2
	if ! fetch "$2" "$3" "$4" "$5"; then
		echo "busybox: no source of $5, whose sha256 is $3: $(tail -1 "$tmp/log")" >&2
		exit 1
	fi
	mkdir -p "$1"
	install -m 755 "$tmp/busybox" "$1/busybox"
done
