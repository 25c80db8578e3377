# Configures the network.

# Forwarding off: an application is no router and has no firewall. Low ports for every user, as in Docker.
set_network_sysctls() {
	for name in ipv4/ip_forward ipv6/conf/all/forwarding ipv4/ip_unprivileged_port_start; do
		[ ! -w /proc/sys/net/$name ] || echo 0 >/proc/sys/net/$name
	done
}

# add_static_address -4|-6 ADDRESS/PREFIX[,GATEWAY]
add_static_address() {
	ip link set dev eth0 up
	ip "$1" address add "${2%%,*}" dev eth0
	case $2 in
	*,?*)
		ip "$1" route replace "${2#*,}" dev eth0
		ip "$1" route replace default via "${2#*,}" dev eth0
		;;
	esac
}

# Asks five times, two seconds apart, then goes on in the background. To its script, variables of the application with these
# names would look like parts of the lease.
start_udhcpc() {
	unset broadcast dns domain message mtu router search
	exec udhcpc -i "$1" -b -t 5 -T 2 -x "hostname:$(hostname)" -s /lxd-udhcpc-default.script
}

# Waits until each interface has its lease, or udhcpc has gone to the background.
configure_interfaces() {
	ip link set dev lo up
	[ -z "$LXDOCKER_DNS" ] || echo "$LXDOCKER_DNS" | tr , '\n' | sed 's/^/nameserver /' >/etc/resolv.conf
	for interface in /sys/class/net/eth*; do
		interface=${interface##*/}
		case $interface in
		'eth*') continue ;;
		eth0)
			[ -z "$LXDOCKER_IPV6" ] || add_static_address -6 "$LXDOCKER_IPV6"
			if [ -n "$LXDOCKER_IPV4" ]; then
				add_static_address -4 "$LXDOCKER_IPV4"
				continue
			fi
			;;
		esac
		start_udhcpc "$interface" &
	done
	wait
}
