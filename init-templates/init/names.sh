# Writes the files that name the instance.

# After the first start only when the instance has got another name, so that what its owner writes there stays.
write_names() {
	name=$(hostname)
	if [ "$(cat /etc/hostname 2>/dev/null)" = "$name" ] || is_mounted "$(readlink -f /etc/hosts)"; then return; fi
	cat >/etc/hosts <<-end
		127.0.0.1	localhost
		::1	localhost ip6-localhost ip6-loopback
		ff02::1	ip6-allnodes
		ff02::2	ip6-allrouters
		127.0.1.1	$name
	end
	echo "$name" >/etc/hostname
}
