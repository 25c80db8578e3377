# Gives the application its standard streams.

# Those of `docker run -d`: nothing to read, and a pipe of the application's user. A shell alone keeps the console, or it would end
# at once; it ends on SIGHUP alone. The console stays with an application that is PID 1, too: with it ends who copies its last lines.
choose_streams() {
	eval "set -- $1"
	case $#${1##*/} in 1sh | 1ash | 1bash | 1dash | 1ksh | 1mksh | 1zsh | 1fish | 1csh | 1tcsh) shell=true ;; *) shell=false ;; esac
	if [ -z "$tty" ] && [ "$supervised$log" = false ]; then tty=true; else tty=${tty:-$shell}; fi
	[ "$tty$shell$stop_signal" != truetrue15 ] || stop_signal=1
	if [ "$tty" = true ]; then chown "$uid" /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2; else start_writer; fi
}

# Sets writer to its process id. It belongs to the owner of the log's directory, who can make a link of the log's name.
# Opened for reading and writing, a FIFO does not wait for its other end.
start_writer() {
	size=10M owner=
	case $log in *,*) size=${log##*,} log=${log%,*} ;; esac
	case $size in *K*) unit=1024 ;; *M*) unit=1048576 ;; *G*) unit=1073741824 ;; *) unit=1 ;; esac
	size=${size%%[!0-9]*}
	if [ -n "$log" ]; then
		mkdir -p "${log%/*}/" || log_line "log: cannot make ${log%/*}"
		owner=$(stat -L -c '-S %u -G %g' "${log%/*}/")
	fi
	mkfifo -m 600 $state/output
	chown "$uid" $state/output
	exec 7<>$state/output
	# shellcheck disable=SC2086
	nsenter $owner -- /busybox-lxd sh $state/init write "$log" $((size * unit)) <&7 3>&- 5>&- 7>&- &
	writer=$!
	exec </dev/null >$state/output 2>&1 7>&-
}

# write_output LOG BYTES copies what it reads to the console as it comes and, LOG not being empty, to that file. One that is larger
# becomes LOG.1. Some applications send a signal to all processes when they end.
write_output() {
	trap '' HUP INT QUIT PIPE TERM USR1 USR2
	[ -n "$1" ] || exec cat
	exec 4>&1
	count=1 most=$(($2 / 16384)) said=
	[ $most -lt 64 ] || most=64
	while
		[ ! -f "$1" ] || [ "$(stat -L -c %s "$1")" -lt "$2" ] || mv -f "$1" "$1.1"
		log=$1
		[ -f "$log" ] || [ ! -e "$log" ] || log=/
		done=$({ dd bs=16384 count=$count | tee -a "$log" 2>/dev/null >&4 || echo failed >&2; } 2>&1)
		case $done$said in *failed) said=true && log_line "log: cannot write to $1" ;; esac
		done=${done%% *}
		[ $((${done%+*} + ${done#*+})) = $count ]
	do
		count=$((count < most ? count * 2 : count))
	done
}
