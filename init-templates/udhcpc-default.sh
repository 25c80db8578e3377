#!/busybox-lxd sh
# What a lease does to an interface. udhcpc gives the event as $1 and the lease in the environment.
# shellcheck disable=SC2154

enabled() { [ "$1" = 1 ]; }

set_address() {
	set -- "$ip/$mask" ${broadcast:+broadcast "$broadcast"}
	! enabled "$LXDOCKER_UDHCPC_NOPREFIXROUTE" || set -- "$@" noprefixroute
	ip -4 address add "$@" dev "$interface" 2>/dev/null
	ip -4 address show dev "$interface" | while read -r family address _; do
		[ "$family" != inet ] || [ "$address" = "$ip/$mask" ] || ip -4 address del "$address" dev "$interface"
	done
	[ -z "$mtu" ] || ip link set dev "$interface" mtu "$mtu"
}

# The first router becomes the default route, eth0's before eth1's. One outside the subnet needs a route of its own first.
set_routes() {
	gateway=${router%% *}
	[ -n "$gateway" ] || return 0
	set -- dev "$interface" metric "${interface#eth}"
	if enabled "$LXDOCKER_UDHCPC_NOPREFIXROUTE" || [ "$mask" = 32 ]; then
		ip -4 route replace "$gateway" "$@"
	fi
	enabled "$UDHCPC_NO_DEFAULT_ROUTE" || ip -4 route replace default via "$gateway" "$@"
}

# The servers of all interfaces, eth0's first. Written in place: the file may be a mount.
set_dns() {
	if enabled "$UDHCPC_NO_DNS" || [ -n "$LXDOCKER_DNS" ]; then return; fi
	{
		[ -z "${search:-$domain}" ] || echo "search ${search:-$domain}"
		for server in $dns; do echo "nameserver $server"; done
	} >"/dev/.lxdocker/resolv.$interface"
	cat /dev/.lxdocker/resolv.eth* >/etc/resolv.conf
}

case $1 in
deconfig)
	ip link set dev "$interface" up
	ip -4 address flush dev "$interface"
	;;
bound | renew)
	set_address
	set_routes
	set_dns
	;;
leasefail | nak) echo "lxdocker: $interface: no address: ${message:-no DHCP server answers}" ;;
esac
