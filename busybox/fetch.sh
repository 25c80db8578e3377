#!/bin/sh
# Fetches the static busybox of each architecture from its Debian package: fetch.sh ARCHITECTURE…
# It changes nothing in apt or dpkg.
set -eu
cd "$(dirname "$0")"
apt_helper=/usr/lib/apt/apt-helper
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT

# print_package_urls POOL_PATH SHA1: this machine's mirrors first; the archive of all Debian files has what left the pool.
print_package_urls() {
	apt-get indextargets --no-release-info --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null | sort -u | sed "s|/*$|/$1|"
	echo "http://ftp.debian.org/debian/$1"
	echo "http://snapshot.debian.org/file/$2"
}

# download_busybox BINARY_SHA256 PACKAGE_SHA256 PACKAGE_SHA1 POOL_PATH: to $temporary/busybox
download_busybox() {
	for url in $(print_package_urls "$4" "$3"); do
		if $apt_helper download-file "$url" "$temporary/package" "SHA256:$2" >"$temporary/log" 2>&1; then
			dpkg-deb --fsys-tarfile "$temporary/package" | tar -xO --wildcards './*bin/busybox' >"$temporary/busybox"
			echo "$1  $temporary/busybox" | sha256sum --check --status
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
	if ! download_busybox "$2" "$3" "$4" "$5"; then
		echo "busybox: cannot download $5 with sha256 $3: $(tail -1 "$temporary/log")" >&2
		exit 1
	fi
	mkdir -p "$1"
	install -m 755 "$temporary/busybox" "$1/busybox"
done
