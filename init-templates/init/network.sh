# Configures the network.

# Forwarding off: an application has no firewall. As in Docker, low ports for every user, and ping for every group that is mapped.
set_network_sysctls() {
	for name in ipv4/ip_forward ipv6/conf/all/forwarding ipv4/ip_unprivileged_port_start; do
		[ ! -w /proc/sys/net/$name ] || echo 0 >/proc/sys/net/$name
	done
	last=0
	while read -r group _ count; do last=$((group + count > last ? group + count - 1 : last)); done </proc/self/gid_map
	echo 0 $((last < 2147483647 ? last : 2147483647)) >/proc/sys/net/ipv4/ping_group_range
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
			read -rt 0.002 _ <>$state/lines # a pause that starts no process: nobody writes there yet
			[ $((tries += 1)) -lt 2000 ] || ! has_ipv6 || break 2
		done
	done
	asking=''
	[ $tries -lt 2000 ] || ! has_ipv6 || grep -qs ^nameserver $state/resolv.* || find_name_server
	[ -e $state/hosts ] || interface=$first write_names # which a lease has done already
}

# Gives the instance's name the address of eth0, or of the interface, as Docker does. To write what is there already may wait for a disk.
write_names() {
	read -r name </etc/hostname
	[ "$name" = "$hostname" ] || echo "$hostname" >/etc/hostname
	: >>/etc/hosts
	ip -o address show scope global | awk -v name="$hostname" -v interface="$interface" -v hosts="$(readlink -f /etc/hosts)" '
		BEGIN { mark = "# lxdocker writes the next line." }
		from == "ip" && !($2 in address) { address[$2] = substr($4, 1, index($4, "/") - 1) }
		from == "mounts" && $2 == hosts { mounted = 1 }
		from != "hosts" { next }
		{ old = old $0 "\n" }
		/^127\.0\.1\.1[[:blank:]]/ { next }
		/localhost/ { localhost = 1 }
		index($0, mark) == 1 { if (getline > 0) old = old $0 "\n"; next }
		{ new = new $0 "\n" }
		END {
			if (!localhost) new = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\n" \
				"ff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n" new
			own = "eth0" in address ? address["eth0"] : interface in address ? address[interface] : "127.0.1.1"
			new = new mark "\n" own "\t" name "\n"
			if (mounted || new == old) exit 1
			printf "%s", new
		}' from=ip - from=mounts /proc/mounts from=hosts /etc/hosts >$state/hosts && cat $state/hosts >/etc/hosts
} 2>/dev/null
