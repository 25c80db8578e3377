# Configures the network.

# Forwarding off: an application is no router. Low ports for every user, as Docker has it.
set_kernel_parameters() {
	for name in ipv4/ip_forward ipv6/conf/all/forwarding ipv4/ip_unprivileged_port_start; do
		[ ! -w /proc/sys/net/$name ] || echo 0 >/proc/sys/net/$name
	done
}

# configure_static FAMILY ADDRESS/PREFIX[,GATEWAY]
configure_static() {
	ip link set dev eth0 up
	ip "$1" address add "${2%%,*}" dev eth0
	case $2 in
	*,?*)
		ip "$1" route replace "${2#*,}" dev eth0
		ip "$1" route replace default via "${2#*,}" dev eth0
		;;
	esac
}

# Waits for leases for some seconds; udhcpc then goes on trying in the background.
configure_network() {
	ip link set dev lo up
	[ -z "$LXDOCKER_DNS" ] || echo "$LXDOCKER_DNS" | tr , '\n' | sed 's/^/nameserver /' >/etc/resolv.conf
	for interface in /sys/class/net/eth*; do
		interface=${interface##*/}
		case $interface in
		'eth*') continue ;;
		eth0)
			[ -z "$LXDOCKER_IPV6" ] || configure_static -6 "$LXDOCKER_IPV6"
			if [ -n "$LXDOCKER_IPV4" ]; then
				configure_static -4 "$LXDOCKER_IPV4"
				continue
			fi
			;;
		esac
		udhcpc -i "$interface" -b -t 5 -T 2 -x "hostname:$(hostname)" -s /lxd-udhcpc-default.script &
	done
	wait
}
