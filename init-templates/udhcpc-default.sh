#!/busybox-lxd sh
# Applies what udhcpc has learnt to an interface. udhcpc gives the event as $1 and the lease as environment variables.
# shellcheck disable=SC2154

state=/dev/.lxdocker

# The new address is there before the old one goes: connections of the same address survive a renewal.
set_address() {
	set -- "$ip/$mask" ${broadcast:+broadcast "$broadcast"}
	[ "$LXDOCKER_UDHCPC_NOPREFIXROUTE" != 1 ] || set -- "$@" noprefixroute
	ip -4 address add "$@" dev "$interface" 2>/dev/null
	ip -4 address show dev "$interface" | while read -r family address _; do
		[ "$family" != inet ] || [ "$address" = "$ip/$mask" ] || ip -4 address del "$address" dev "$interface"
	done
	[ "${mtu:-0}" -lt 576 ] || ip link set dev "$interface" mtu "$mtu"
}

# add_route DESTINATION GATEWAY: a gateway that no subnet route covers needs a route of its own first; 0.0.0.0 is none.
add_route() {
	[ "$1" != 0.0.0.0/0 ] || [ "$UDHCPC_NO_DEFAULT_ROUTE" != 1 ] || return 0
	if [ "$2" = 0.0.0.0 ]; then
		set -- "$1"
	elif [ "$LXDOCKER_UDHCPC_NOPREFIXROUTE" = 1 ] || [ "$mask" = 32 ]; then
		add_route "$2" 0.0.0.0
	fi
	ip -4 route replace "$1" ${2:+via "$2"} dev "$interface" metric "$metric"
}

# Classless routes take the place of the routers, of which the first becomes the default route. Those of the last lease go.
set_routes() {
	routes=${staticroutes:-${router:+0.0.0.0/0 ${router%% *}}} old=''
	[ ! -e "$state/routes.$interface" ] || IFS= read -r old <"$state/routes.$interface"
	[ "$routes" != "$old" ] || return 0
	for word in $old; do ip -4 route del "$word" dev "$interface" metric "$metric" 2>/dev/null; done
	echo "$routes" >"$state/routes.$interface"
	# shellcheck disable=SC2086
	set -- $routes
	while [ $# -gt 1 ]; do
		add_route "$1" "$2"
		shift 2
	done
}

# Lists the servers of all interfaces in the order of their metrics. /etc/resolv.conf is written in place, since it may be a mount.
write_resolv_conf() {
	if [ "$UDHCPC_NO_DNS" = 1 ] || [ -n "$LXDOCKER_DNS" ]; then return; fi
	{
		[ -z "${search:-$domain}" ] || echo "search ${search:-$domain}"
		for server in $dns; do echo "nameserver $server"; done
	} >"$state/resolv.$((1000000 + metric))"
	# Another interface may get its lease at this moment: whoever writes last has to have read both.
	until cat $state/resolv.* | cmp -s - /etc/resolv.conf; do cat $state/resolv.* >/etc/resolv.conf || break; done
}

case $1 in
deconfig)
	ip link set dev "$interface" up
	ip -4 address flush dev "$interface"
	rm -f "$state/routes.$interface"
	;;
bound | renew)
	# eth0's routes come before eth1's, and these before those of a card with another name.
	metric=${interface#eth}
	case $metric in '' | *[!0-9]*) metric=$((1000 + $(cat "/sys/class/net/$interface/ifindex"))) ;; esac
	set_address
	set_routes
	write_resolv_conf
	;;
leasefail | nak) echo "lxdocker: $interface: no address: ${message:-no DHCP server answers}" ;;
esac
