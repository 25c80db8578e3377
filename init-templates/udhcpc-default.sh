#!/busybox-lxd sh
# Applies what udhcpc has learnt to an interface. udhcpc gives the event as $1 and the lease as environment variables.
# shellcheck disable=SC2154

is_enabled() { [ "$1" = 1 ]; }

# The new address is there before the old one goes: connections of the same address survive a renewal.
set_address() {
	set -- "$ip/$mask" ${broadcast:+broadcast "$broadcast"}
	! is_enabled "$LXDOCKER_UDHCPC_NOPREFIXROUTE" || set -- "$@" noprefixroute
	ip -4 address add "$@" dev "$interface" 2>/dev/null
	ip -4 address show dev "$interface" | while read -r family address _; do
		[ "$family" != inet ] || [ "$address" = "$ip/$mask" ] || ip -4 address del "$address" dev "$interface"
	done
	[ -z "$mtu" ] || ip link set dev "$interface" mtu "$mtu"
}

# The first router becomes the default route; the metric puts eth0's before eth1's. A router that no subnet route covers needs
# a route of its own first.
set_default_route() {
	gateway=${router%% *}
	[ -n "$gateway" ] || return 0
	set -- dev "$interface" metric "${interface#eth}"
	if is_enabled "$LXDOCKER_UDHCPC_NOPREFIXROUTE" || [ "$mask" = 32 ]; then
		ip -4 route replace "$gateway" "$@"
	fi
	is_enabled "$UDHCPC_NO_DEFAULT_ROUTE" || ip -4 route replace default via "$gateway" "$@"
}

# Lists the servers of all interfaces, eth0's first. /etc/resolv.conf is written in place, since it may be a mount.
write_resolv_conf() {
	if is_enabled "$UDHCPC_NO_DNS" || [ -n "$LXDOCKER_DNS" ]; then return; fi
	{
		[ -z "${search:-$domain}" ] || echo "search ${search:-$domain}"
		for server in $dns; do echo "nameserver $server"; done
	} >"/dev/.lxdocker/resolv.$interface"
	# Another interface may get its lease at this moment: whoever writes last has to have read both.
	while
		cat /dev/.lxdocker/resolv.eth* >/etc/resolv.conf &&
			! cat /dev/.lxdocker/resolv.eth* | cmp -s - /etc/resolv.conf
	do :; done
}

case $1 in
deconfig)
	ip link set dev "$interface" up
	ip -4 address flush dev "$interface"
	;;
bound | renew)
	set_address
	set_default_route
	write_resolv_conf
	;;
leasefail | nak) echo "lxdocker: $interface: no address: ${message:-no DHCP server answers}" ;;
esac
