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
crt=/usr/local/share/ca-certificates/lxdocker.crt
pool=$("$client" profile device get default root pool)

# Runs a command that takes something away, where a question finds it.
remove() { # QUESTION COMMAND
	# shellcheck disable=SC2086
	has $1 || return 0
	# shellcheck disable=SC2086
	"$client" $2 && say "$client $2"
}

remove_instance() {
	remove 'config show lxdocker' 'delete --force lxdocker'
	remove 'image show lxdocker' 'image delete lxdocker'
}

if [ -n "$down" ]; then
	remove_instance
	remove 'profile show lxdocker' 'profile delete lxdocker'
	remove 'image registry show lxdocker' 'image registry delete lxdocker'
	! has remote remove lxdocker || say "$client remote remove lxdocker"
	[ ! -e $crt ] || { rm $crt && update-ca-certificates >/dev/null && say "removed $crt"; }
	[ -z "$purge" ] || remove "storage volume show $pool lxdocker" "storage volume delete $pool lxdocker"
	exit
fi

if [ -n "$update" ] || ! has image show lxdocker; then
	say 'making the image: a minute or two'
	work=$(mktemp -d "${TMPDIR:-/var/tmp}/lxdocker.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	trap 'exit 130' INT TERM HUP
	scripts/setup.sh
	scripts/appliance/build.sh "${DEBIAN_TAR:-$work/debian.tar}" "$work/layout"
	mkdir "$work/specs"
	printf 'image: oci:../layout\ndescription: lxdocker itself\nrestart: on-failure\n' >"$work/specs/lxdocker.yaml"
	node --import=tsx build.ts --quiet --specs "$work/specs" --out "$work/public" --cache "$work/cache"
	remove_instance
	"$client" image import --quiet "$work"/public/images/lxdocker/*/*/metadata.tar.xz "$work"/public/images/lxdocker/*/*/rootfs.tar.zst \
		--alias lxdocker
fi

if ! has storage volume show "$pool" lxdocker; then
	"$client" storage volume create "$pool" lxdocker
fi
if ! has profile show lxdocker; then
	"$client" profile create lxdocker
	"$client" profile set lxdocker limits.cpu=2 limits.memory=2GiB limits.processes=1000 boot.autostart=true
	"$client" profile device add lxdocker data disk pool="$pool" source=lxdocker path=/data
fi
if ! has config show lxdocker; then
	"$client" launch --quiet lxdocker lxdocker --profile default --profile lxdocker
fi
has exec lxdocker -- true || "$client" start lxdocker

# Prints its answer once it has one.
wait_for() { # WHAT COMMAND…
	what=$1
	shift
	for _ in $(seq 120); do
		answer=$("$@" 2>/dev/null) && [ -n "$answer" ] && printf '%s\n' "$answer" && return
		sleep 1
	done
	say "waited for $what in vain: $client console --show-log lxdocker" >&2
	return 1
}
print_address() { "$client" list '^lxdocker$' --format csv --columns 4 | sed -n 's/^"\{0,1\}\([0-9.]*\) (.*/\1/p' | head -n 1; }

address=$(wait_for 'an address' print_address)
network=$("$client" profile device get default eth0 network 2>/dev/null || :)
if [ -z "$network" ]; then
	say "its address is $address: give it one that stays, the certificate lists this one"
elif ! has profile device get lxdocker eth0 ipv4.address; then
	"$client" profile device add lxdocker eth0 nic name=eth0 network="$network" ipv4.address="$address"
fi

cert=$(wait_for 'its certificate' "$client" file pull lxdocker/data/.tls/cert.pem -)
if [ "$cert" != "$(cat $crt 2>/dev/null)" ]; then
	printf '%s\n' "$cert" >$crt
	update-ca-certificates >/dev/null
	say "trusted: $crt; the daemon reads that when it starts, instances go on running"
	for service in $services; do
		! systemctl is-active --quiet "$service" || systemctl restart "$service"
	done
fi

url=https://$address:8443
has remote set-url lxdocker "$url" || "$client" remote add lxdocker "$url" --protocol simplestreams
! has image registry list || has image registry show lxdocker || "$client" image registry create lxdocker url="$url"

say "up: $url says how to add an image, $client image list lxdocker: lists them
  other users: $client remote add lxdocker $url --protocol simplestreams
  add a spec:  echo 'image: nginx:1.29' | $client file push - lxdocker/data/specs/web.yaml
  build now:   $client exec lxdocker -- /busybox-lxd kill -HUP 1"
