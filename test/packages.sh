# What the tests need beside the tools of the program; scripts/setup.sh --test reads it, calls its functions.
# shellcheck shell=sh

# command:Debian package
tools="$tools
	git:git update-ca-certificates:ca-certificates lxd:lxd lxc:lxd-client dnsmasq:dnsmasq-base dockerd:docker.io docker-registry:docker-registry
	shellcheck:shellcheck gcc:gcc setfattr:attr curl:curl unshare:util-linux nsenter:util-linux mmdebstrap:mmdebstrap ip:iproute2
	setcap:libcap2-bin busybox:busybox-static qemu-aarch64-static:qemu-user-static htpasswd:apache2-utils nginx:nginx-light
	caddy:caddy wrk:wrk chromium:chromium rclone:rclone memcached:memcached swift-proxy-server:swift-proxy
	swift-account-server:swift-account swift-container-server:swift-container swift-object-server:swift-object"

is_static() { ! LC_ALL=C ldd "$1" 2>/dev/null | grep -q '=>'; }

# Packages that a command alone does not tell.
print_other_packages() {
	busybox=$(command -v busybox) && ! is_static "$busybox" && echo ' busybox-static'
	keyring=/usr/share/keyrings/debian-archive-keyring
	[ -e $keyring.gpg ] || [ -e $keyring.pgp ] || echo ' debian-archive-keyring'
}

# Services that the packages bring do not start: the tests run their own. A policy that the machine has stays.
forbid_services() { # `sudo` where it takes that
	sudo=$1
	guard=/usr/sbin/policy-rc.d
	[ ! -e $guard ] || return 0
	trap '$sudo rm -f $guard' EXIT
	printf '#!/bin/sh\nexit 101\n' | $sudo tee $guard >/dev/null
	$sudo chmod 755 $guard
}

# What only root can make: the Debian with Incus, that of the appliance, the layers of the servers.
make_worlds() {
	[ "$(id -u)" = 0 ] || return 0
	test/world/incus/make.sh /var/cache/lxdocker/incus
	appliance=/var/cache/lxdocker/appliance
	# Another list of packages makes another Debian.
	# shellcheck disable=SC2154 # setup.sh says the tools
	if [ "$(cat $appliance/tools 2>/dev/null)" != "$tools" ]; then
		rm -rf $appliance
		scripts/appliance/build.sh $appliance/debian.tar
		echo "$tools" >$appliance/tools
	fi
	node --import=tsx test/real/make.ts
}
