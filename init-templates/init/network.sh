# Configures the network.

# Forwarding off: an application has no firewall. As in Docker, low ports for every user, and ping for every group that is mapped.
set_network_sysctls() {
	for name in ipv4/ip_forward ipv6/conf/all/forwarding ipv4/ip_unprivileged_port_start; do
		[ ! -w /proc/sys/net/$name ] || echo 0 >/proc/sys/net/$name
	done
	awk '{ last = $1 + $3 - 1 } last > max { max = last } END { printf "0 %d\n", max < 2147483647 ? max : 2147483647 }' /proc/self/gid_map \
		>/proc/sys/net/ipv4/ping_group_range
} 2>/dev/null

# is_card INTERFACE: no loopback, no tunnel, nothing that stands on another interface, and not what LXD has configured: a routed one.
is_card() {
	read -r kind <"/sys/class/net/$1/type" && read -r mac <"/sys/class/net/$1/address" || return 1
	case $kind/$mac in */00:00:00:00:00:00) return 1 ;; 1/* | 32/*) ;; *) return 1 ;; esac
	for lower in "/sys/class/net/$1/lower_"*; do [ ! -e "$lower" ] || return 1; done
	[ -z "$(ip -4 -o address show dev "$1")" ]
} 2>/dev/null

# add_static_address -4|-6 [ADDRESS/PREFIX[,GATEWAY]] fails when there is none.
add_static_address() {
	[ -n "$2" ] || return
	ip link set dev "$first" up
	ip "$1" address add "${2%%,*}" dev "$first"
	case $2 in *,?*) ip "$1" route replace "${2#*,}" dev "$first" && ip "$1" route replace default via "${2#*,}" dev "$first" ;; esac
	return 0
}

# Asks five times, two seconds apart, then in the background. Variables of the instance would look like parts of the lease.
start_udhcpc() {
	unset broadcast dns domain message mtu router search staticroutes
	udhcpc -i "$1" -b -p "$state/udhcpc.$1" -t 5 -T 2 -O mtu -O search -O staticroutes -O ntpsrv -x "hostname:$hostname" \
		-s /lxd-udhcpc-default.script
}

# Cards that are added later get their addresses, too: those with a name or a MAC address that LXD or Incus gives.
watch_cards() {
	uevent sh -c '[ "$SUBSYSTEM" != net ] || echo "$INTERFACE"' | while read -r interface; do
		[ ! -s "$state/udhcpc.$interface" ] || kill "$(cat "$state/udhcpc.$interface")"
		(
			sleep 1 # until it has its final name
			is_card "$interface" || exit
			case $interface/$mac in eth[0-9]*/* | */00:16:3e:* | */10:66:6a:*) start_udhcpc "$interface" ;; esac
		) &
	done
}

has_ipv6() { ip -6 route | grep -q ^default && ip -6 -o address show scope global | grep -qv tentative; }

# busybox has no DHCPv6, and nobody reads the name servers of router advertisements. But on most networks the router is one.
find_name_server() {
	if [ "$UDHCPC_NO_DNS" = 1 ] || [ -n "$LXDOCKER_DNS" ]; then return; fi
	for server in $(ip -6 route | sed -n 's|^\([^f][^ ]*::\|f[^e][^ ]*::\)/64 dev .*|\11|p; s|^default via \([^ ]*\) dev \([^ ]*\).*|\1%\2|p'); do
		timeout 2 nslookup localhost "$server" 2>/dev/null | grep -q ^Server || continue
		echo "nameserver $server" >/etc/resolv.conf
		return
	done
}

# Sets asking to the processes that wait for the leases.
ask_for_addresses() {
	ip link set dev lo up
	[ -z "$LXDOCKER_DNS" ] || echo "$LXDOCKER_DNS" | tr , '\n' | sed 's/^/nameserver /' >/etc/resolv.conf
	first='' asking=''
	for interface in /sys/class/net/eth0 /sys/class/net/*; do
		interface=${interface##*/}
		if [ "$interface" = "$first" ] || ! is_card "$interface"; then continue; fi
		if [ -z "$first" ]; then
			first=$interface
			add_static_address -6 "$LXDOCKER_IPV6"
			! add_static_address -4 "$LXDOCKER_IPV4" || continue
		fi
		start_udhcpc "$interface" &
		asking="$asking $!"
	done
	watch_cards &
}

# Waits for each card's lease, at most ten seconds. After four, IPv6 is enough: a DHCP server may take three for its answer.
wait_for_addresses() {
	tries=0
	for process in $asking; do
		while [ -d "/proc/$process" ]; do
			read -rt 0.01 _ <>$state/lines # a pause that starts no process: nobody writes there yet
			[ $((tries += 1)) -lt 400 ] || ! has_ipv6 || break 2
		done
	done
	asking=''
	[ $tries -lt 400 ] || ! has_ipv6 || grep -qs ^nameserver $state/resolv.* || find_name_server
	[ -e $state/hosts ] || interface=$first write_names # which a lease has done already
}

# Gives the instance's name the address of eth0, or of the interface, as Docker does.
write_names() {
	echo "$hostname" >/etc/hostname
	! grep -q " $(readlink -f /etc/hosts) " /proc/mounts || return 0
	mark='# lxdocker writes the next line.'
	address=$(for card in eth0 "$interface"; do ip -o address show dev "$card" scope global; done | awk -F '[ /]+' '{ print $4; exit }')
	{
		grep -q localhost /etc/hosts || printf '%s\t%s\n' 127.0.0.1 localhost ::1 'localhost ip6-localhost ip6-loopback' \
			fe00:: ip6-localnet ff00:: ip6-mcastprefix ff02::1 ip6-allnodes ff02::2 ip6-allrouters
		sed "/^$mark/,+1d; /^127\.0\.1\.1[[:blank:]]/d" /etc/hosts
		printf '%s\n%s\t%s\n' "$mark" "${address:-127.0.1.1}" "$hostname"
	} >$state/hosts
	cmp -s $state/hosts /etc/hosts || cat $state/hosts >/etc/hosts
} 2>/dev/null
