#!/bin/sh
# Writes the appliance's spec and what that names, without Docker: scripts/appliance/build.sh DEBIAN [SPECS], after scripts/setup.sh.
#
# DEBIAN is a tar of the Debian below lxdocker; mmdebstrap makes it where it is missing. SPECS is the directory that it makes.
set -eu
umask 022
debian=$(realpath -m -- "$1") specs=${2:+$(realpath -m -- "$2")}
cd "$(dirname "$0")/../.."

if [ ! -e "$debian" ]; then
	if ! dpkg-query --show mmdebstrap debian-archive-keyring >/dev/null 2>&1; then
		apt-get update -qq
		apt-get install -y -qq --no-install-recommends mmdebstrap debian-archive-keyring >/dev/null
	fi
	mkdir -p "$(dirname "$debian")"
	# Debian 13 is the first with a new enough node. The tools are those that setup.sh installs.
	tools=$(sed -n "s/^tools='\(.*\)'\$/\1/p" scripts/setup.sh | tr ' ' '\n' | sed 's/.*://' | paste -sd,)
	mmdebstrap --quiet --variant=minbase --format=tar --include="nodejs,ca-certificates,apache2-utils,$tools" \
		--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/info/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/man/*' \
		trixie "$debian.new" "${DEBIAN_MIRROR:-http://deb.debian.org/debian}"
	mv "$debian.new" "$debian"
fi
[ $# -gt 1 ] || exit 0

# The same program without node_modules, nor esbuild at each start.
node_modules/.bin/esbuild build.ts serve.ts verify.ts --log-level=warning --outdir="$specs/program" \
	--bundle --splitting --platform=node --format=esm --target=node20 \
	--banner:js='import { createRequire } from "node:module"; const require = createRequire(import.meta.url)'
cp -R --parents package.json init-templates busybox scripts/tree/page.html.hbs scripts/appliance/start.sh "$specs/program"
umoci init --layout "$specs/debian"
umoci new --image "$specs/debian"
umoci raw add-layer --image "$specs/debian" "$debian"
cat >"$specs/lxdocker.yaml" <<'END'
image: oci:debian
description: lxdocker itself
files: { /opt/lxdocker: { from: program } }
entrypoint: /opt/lxdocker/scripts/appliance/start.sh
working_dir: /data
env: { HOME: /data }
healthcheck: { test: [CMD, /busybox-lxd, wget, -q, -O-, http://127.0.0.1:8080/healthz], interval: 1m, start_period: 1m }
restart: on-failure
END
