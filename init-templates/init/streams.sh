# Gives the application its standard streams.

# Those of `docker run -d` are nothing to read, and a pipe. A shell alone keeps the console, or it would end at once, and it ends on
# SIGHUP alone. An application that is PID 1 keeps it, too: nobody would be left to copy its last lines. Takes the command.
choose_streams() {
	eval "set -- $1"
	case $#${1##*/} in 1sh | 1ash | 1bash | 1dash | 1ksh | 1mksh | 1zsh | 1fish | 1csh | 1tcsh) shell=true ;; *) shell=false ;; esac
	[ "${tty:=$shell}" != true ] || variables="TERM=xterm $variables"
	[ "$supervised" = true ] || tty=true
	[ "$tty" = true ] || return 0
	[ -z "$log" ] || log_line 'log: there is none where the application has the console'
	[ "$shell$stop_signal" != true15 ] || stop_signal=1
	chown "$uid" /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2
}

# Sets writer to its process id. The log belongs to the owner of its directory, who can make a link of its name.
start_writer() {
	size=10M owner=
	case $log in *,*) size=${log##*,} log=${log%,*} ;; esac
	case $size in *[Kk]*) unit=1024 ;; *[Mm]*) unit=1048576 ;; *[Gg]*) unit=1073741824 ;; *) unit=1 ;; esac
	[ -z "$log" ] || { mkdir -p "${log%/*}/" && owner=$(stat -L -c '-S %u -G %g' "${log%/*}/"); } 2>/dev/null
	chown "$uid" $state/output
	exec 7<>$state/output # until all who write have opened it
	write_output $((${size%%[!0-9]*} * unit)) <$state/output &
	writer=$!
}

open_streams() { [ "$tty" = true ] || exec 0<>/dev/null >$state/output 2>&1 7>&-; }

# write_output BYTES copies what it reads to the console, and to the log for as long as there are processes to be had.
write_output() {
	exec 4>&1 7>&-
	trap '' HUP INT QUIT PIPE TERM USR1 USR2 # some applications send one to all processes when they end
	[ -z "$log" ] || (write_log "$1")
	exec cat
}

# shellcheck disable=SC2086 # owner is several words
# A log that is larger than BYTES becomes LOG.1.
write_log() {
	count=1 most=$(($1 / 16384)) said=
	while
		[ ! -f "$log" ] || [ "$(stat -L -c %s "$log")" -lt "$1" ] || nsenter $owner -- mv -f "$log" "$log.1"
		if [ -f "$log" ] || [ ! -e "$log" ]; then file=$log; else file=/; fi
		copied=$({ dd bs=16384 count=$count | nsenter $owner -- tee -a "$file" 2>/dev/null >&4 || echo failed >&2; } 2>&1)
		case $copied$said in *failed) said=true && echo >&2 && log_line "log: cannot write to $log" ;; esac
		copied=${copied%% *}
		[ $((${copied%+*} + ${copied#*+})) = $count ]
	do
		count=$((count < 64 && count < most ? count * 2 : count))
	done
}
