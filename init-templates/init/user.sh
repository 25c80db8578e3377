# Resolves the application's user as Docker does.

# find_account FILE FIELD VALUE: sets account to the first line of a passwd or group file with VALUE in FIELD: 1 name, 3 id.
find_account() {
	account=$(VALUE=$3 awk -F : -v field="$2" '$field == ENVIRON["VALUE"] { print; exit }' "$1" 2>/dev/null)
	[ -n "$account" ]
}

print_account_field() { echo "$account" | cut -d : -f "$1"; }

# Sets uid, gid, home and, for a user whose supplementary groups count, login.
resolve_user() {
	name=${user%%:*} group=${user#"${user%%:*}"}
	name=${name:-0} group=${group#:}
	uid=0 gid=0 home=/ login=
	if is_number "$name"; then
		uid=$name
		find_account /etc/passwd 3 "$name"
	else
		find_account /etc/passwd 1 "$name" || exit_with_error "user $name: not in /etc/passwd"
	fi
	[ -z "$account" ] || login=$(print_account_field 1) uid=$(print_account_field 3) gid=$(print_account_field 4) home=$(print_account_field 6)
	[ -n "$group" ] || return 0
	login= # Docker gives no supplementary groups next to an explicit group
	if is_number "$group"; then
		gid=$group
	else
		find_account /etc/group 1 "$group" || exit_with_error "group $group: not in /etc/group"
		gid=$(print_account_field 3)
	fi
}
