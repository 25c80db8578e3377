# Resolves the application's user as Docker does.

# find_entry FILE FIELD VALUE: the first line of a passwd or group file whose field 1 (name) or 3 (id) has the value.
find_entry() {
	entry=$(VALUE=$3 awk -F : -v field="$2" '$field == ENVIRON["VALUE"] { print; exit }' "$1" 2>/dev/null)
	[ -n "$entry" ]
}

field() { echo "$entry" | cut -d : -f "$1"; }

resolve_user() {
	name=${user%%:*} group=${user#"${user%%:*}"}
	name=${name:-0} group=${group#:}
	uid=0 gid=0 home=/ login=
	if is_number "$name"; then
		uid=$name
		find_entry /etc/passwd 3 "$name"
	else
		find_entry /etc/passwd 1 "$name" || fail "user $name: not in /etc/passwd"
	fi
	[ -z "$entry" ] || login=$(field 1) uid=$(field 3) gid=$(field 4) home=$(field 6)
	[ -n "$group" ] || return 0
	login= # su would add groups; next to an explicit group there are none
	if is_number "$group"; then
		gid=$group
	else
		find_entry /etc/group 1 "$group" || fail "group $group: not in /etc/group"
		gid=$(field 3)
	fi
}
