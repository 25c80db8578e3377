#!/busybox-lxd sh
# Runs the udhcpc script with lxdocker's busybox as its shell, since the image may have none, then writes the own name.
export PATH=/sbin:/usr/sbin:/bin:/usr/bin
/busybox-lxd sh '/lxd-udhcpc-default.script.real' "$@"
case $1 in bound | renew) exec /busybox-lxd sh /dev/.lxdocker/init names ;; esac
