#!/bin/sh
# Makes the appliance's image, without Docker: scripts/appliance/build.sh DEBIAN [LAYOUT], after scripts/setup.sh.
#
# DEBIAN is a tar of the Debian below lxdocker; mmdebstrap makes it where it is missing. LAYOUT is the OCI layout that it writes.
set -eu
umask 022
debian=$(realpath -m -- "$1") layout=${2:+$(realpath -m -- "$2")}
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
		--dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/info/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		--dpkgopt='path-exclude=/usr/share/man/*' \
		trixie "$debian.new" "${DEBIAN_MIRROR:-http://deb.debian.org/debian}"
	mv "$debian.new" "$debian"
fi
[ $# -gt 1 ] || exit 0

root=$layout/root home=$layout/root/opt/lxdocker
mkdir -p "$layout/blobs/sha256" "$root/data" "$home"
# The same program without tsx, whose compilers take a third of the memory and a second of each start.
node_modules/.bin/esbuild build.ts serve.ts verify.ts --log-level=warning --outdir="$home" \
	--bundle --splitting --platform=node --format=esm --target=node20 \
	--banner:js='import { createRequire } from "node:module"; const require = createRequire(import.meta.url)'
cp -R package.json init-templates busybox scripts/tree/page.html.hbs scripts/appliance/start.sh "$home"
cp "$debian" "$layout/layer"
tar -C "$root" --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -rf "$layout/layer" data opt
rm -r "$root"

# Moves a file of the layout to its blobs, prints its descriptor. Not by umoci, which knows no health check.
add_blob() { # FILE TYPE
	digest=$(sha256sum "$layout/$1" | cut -d ' ' -f 1)
	printf '{"mediaType":"application/vnd.oci.image.%s","digest":"sha256:%s","size":%s}' "$2" "$digest" "$(stat -c %s "$layout/$1")"
	mv "$layout/$1" "$layout/blobs/sha256/$digest"
}

layer=$(add_blob layer layer.v1.tar)
cat >"$layout/config" <<END
{"architecture":"$(dpkg --print-architecture | sed 's/i386/386/; s/armhf/arm/; s/64el/64le/')","os":"linux","config":{
"Env":["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin","HOME=/data"],
"Entrypoint":["/opt/lxdocker/start.sh"],"WorkingDir":"/data","Volumes":{"/data":{}},"ExposedPorts":{"8443/tcp":{}},
"Healthcheck":{"Test":["CMD","/busybox-lxd","wget","-q","-O-","http://127.0.0.1:8080/healthz"],"Interval":60000000000,"StartPeriod":60000000000}},
"rootfs":{"type":"layers","diff_ids":["$(printf %s "$layer" | grep -o 'sha256:[0-9a-f]*')"]}}
END
config=$(add_blob config config.v1+json)
printf '{"schemaVersion":2,"config":%s,"layers":[%s]}' "$config" "$layer" >"$layout/manifest"
manifest=$(add_blob manifest manifest.v1+json)
printf '{"schemaVersion":2,"manifests":[%s]}' "$manifest" >"$layout/index.json"
printf '{"imageLayoutVersion":"1.0.0"}' >"$layout/oci-layout"
