#!/bin/sh
# Brings the appliance up on an LXD or Incus host, as root: scripts/appliance/up.sh [--incus] [--update] [--down [--purge]]
#
# What is there stays as it is, so that it may run again. --update makes image and instance anew; --down takes away all but
# the volume; --purge the volume, too.
set -eu
exec </dev/null # the clients would wait for YAML
client=lxc services='lxd snap.lxd.daemon' update='' down='' purge=''
for flag; do
	case $flag in
	--incus) client=incus services=incus ;;
	--update) update=yes ;;
	--down) down=yes ;;
	--purge) purge=yes ;;
	*) sed -n '2s/.*: /usage: /p' "$0" >&2 && exit 2 ;;
	esac
done
cd "$(dirname "$0")/../.."
[ "$(id -u)" = 0 ] || { echo 'appliance: only root can set the owners of files and trust a certificate' >&2 && exit 1; }

say() { echo "appliance: $*"; }
has() { "$client" "$@" >/dev/null 2>&1; }
crt=/usr/local/share/ca-certificates/lxdocker.crt url=https://127.0.0.1:8440
pool=$("$client" profile device get default root pool)

remove() { # KIND [POOL]
	# shellcheck disable=SC2086 # a kind is words of a command line
	if has $1 show ${2-} lxdocker; then "$client" $1 delete ${2-} lxdocker && say "deleted the $1"; fi
}

remove_instance() {
	if has config show lxdocker; then "$client" delete --force lxdocker && say 'deleted the instance'; fi
	remove image
}

if [ -n "$down" ]; then
	remove_instance
	remove profile
	remove 'image registry'
	! has remote remove lxdocker || say 'removed the remote'
	[ ! -e $crt ] || { rm $crt && update-ca-certificates >/dev/null && say "removed $crt"; }
	[ -z "$purge" ] || remove 'storage volume' "$pool"
	exit
fi

if [ -n "$update" ] || ! has image show lxdocker; then
	say 'making the image: a minute or two'
	work=$(mktemp -d "${TMPDIR:-/var/tmp}/lxdocker.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	trap 'exit 130' INT TERM HUP
	scripts/setup.sh
	scripts/appliance/build.sh "${DEBIAN_TAR:-$work/debian.tar}" "$work/specs"
	node --import=tsx build.ts --quiet --specs "$work/specs" --out "$work/public" --cache "$work/cache"
	remove_instance
	set -- "$work"/public/images/lxdocker/*/*
	"$client" image import --quiet "$1/metadata.tar.xz" "$1/rootfs.tar.zst" --alias lxdocker
fi

has storage volume show "$pool" lxdocker || "$client" storage volume create "$pool" lxdocker
if ! has profile show lxdocker; then
	"$client" profile create lxdocker
	"$client" profile set lxdocker limits.cpu=2 limits.memory=2GiB limits.processes=1000 boot.autostart=true
	"$client" profile device add lxdocker data disk pool="$pool" source=lxdocker path=/data
	# Whatever its address is, and whichever network it has, this one stays; the certificate lists it.
	"$client" profile device add lxdocker https proxy listen="tcp:${url#https://}" connect=tcp:127.0.0.1:8443
fi
has config show lxdocker || "$client" launch --quiet lxdocker lxdocker --profile default --profile lxdocker
has exec lxdocker -- true || "$client" start lxdocker
has exec lxdocker -- timeout 60 sh -c 'until node -e "fetch(\"http://127.0.0.1:8080\")"; do sleep 1; done' ||
	{ say "it does not answer: $client console --show-log lxdocker" >&2 && exit 1; }

cert=$("$client" file pull lxdocker/data/.tls/cert.pem -)
if [ "$cert" != "$(cat $crt 2>/dev/null)" ]; then
	printf '%s\n' "$cert" >$crt
	update-ca-certificates >/dev/null
	say "trusted: $crt; the daemon reads that when it starts, instances go on running"
	for service in $services; do
		! systemctl is-active --quiet "$service" || systemctl restart "$service"
	done
fi
has remote set-url lxdocker "$url" || "$client" remote add lxdocker "$url" --protocol simplestreams
! has image registry list || has image registry show lxdocker || "$client" image registry create lxdocker url="$url"

say "up: $url; other users: $client remote add lxdocker $url --protocol simplestreams
  a new image: echo 'image: nginx:1.29' | $client file push - lxdocker/data/specs/web.yaml
  to build it: $client exec lxdocker -- /busybox-lxd kill -HUP 1"
