#!/usr/bin/env bash
# Runs the tests with the real tools in namespaces that vanish with them.
#
#   test/run.sh [FILE…]    all files of test/tools and test/e2e, or the named ones
#
# As root the tests have a network, a process table and mounts of their own, which the kernel takes back however they end:
# no signal reaches a process outside, no byte of the root file system changes outside of TMPDIR.
# Without root only test/tools runs; with CI=true that is a failure.

set -u
me=$(realpath "${BASH_SOURCE[0]}")

# exec: a signal for this process reaches node. The times only bound a hang, of a file or of the run: node 24 waits for a hung file.
run_tests() {
  unset NODE_OPTIONS
  local minutes=$((${HOSTILE:+240} + 90)) # all rows of a hostile table take long on a busy machine
  exec timeout --foreground "${minutes}m" node --import=tsx --test --test-concurrency=1 --test-timeout=$((minutes * 20000)) \
    --test-reporter=spec --test-reporter-destination=stdout \
    --test-reporter=tap --test-reporter-destination="$TMPDIR/results.tap" "$@"
}

# PID 1 of the namespaces.
run_inside() {
  set -e
  ip link set lo up
  # A sysfs shows the network of whoever mounted it, so LXD needs a fresh one; the cgroups move over.
  mkdir "$TMPDIR/cgroup"
  mount --rbind /sys/fs/cgroup "$TMPDIR/cgroup"
  mount -t sysfs sysfs /sys
  mount --rbind "$TMPDIR/cgroup" /sys/fs/cgroup
  umount -l "$TMPDIR/cgroup"
  # What skopeo and liblxc keep elsewhere vanishes as well, and short names mean what the tests say.
  for dir in /run/lxc /var/lib/containers /etc/containers/registries.conf.d; do
    mkdir -p "$dir"
    mount -t tmpfs tmpfs "$dir"
  done
  mount --bind "$TMPDIR" "$TMPDIR"
  mount -o remount,bind,ro /
  # Containers start below PID 1's cgroup. In v2 a cgroup that holds processes can pass no controller on, except the root.
  roots=(/sys/fs/cgroup/*/)
  [[ -e /sys/fs/cgroup/cgroup.procs ]] && roots=(/sys/fs/cgroup/)
  for root in "${roots[@]}"; do
    { echo $$ >"${root}cgroup.procs"; } 2>/dev/null || :
  done
  set +e
  (run_tests "$@")
}

# Removes what no namespace holds, once nobody has the other end of the pipe: even kill -9 closes it.
bury() {
  local tmp=$1 cgroups="lxc.*.lxdt-$2-*"
  trap '' INT TERM HUP
  cat >/dev/null
  for _ in {1..100}; do
    find /sys/fs/cgroup -depth -type d -path "*/$cgroups" -exec rmdir {} + 2>/dev/null
    rm -rf "$tmp" 2>/dev/null
    [[ -e $tmp || -n $(find /sys/fs/cgroup -type d -name "$cgroups" -print -quit 2>/dev/null) ]] || return 0
    sleep 0.1
  done
  echo "left behind: $tmp or cgroups named $cgroups" >&2
}

# The last line. A run without a test is no success, nor is a file without one, which node counts as passed.
summary() {
  awk -v code="$2" '
    /^# (pass|fail|cancelled|skipped|todo) [0-9]+$/ { n[$2] = $3 }
    /^ok [0-9]+ - .*\.test\.ts$/ { print substr($0, index($0, "- ") + 2) ": no test in it"; empty++ }
    END {
      n["pass"] -= empty
      failed = n["fail"] + n["cancelled"] + empty
      skipped = n["skipped"] + n["todo"]
      if (!code && (empty || !n["pass"])) code = 1
      printf "%d passed, %d failed%s\n", n["pass"], failed, skipped ? ", " skipped " skipped" : ""
      exit code
    }' "$1"
}

case ${1-} in
--tests) run_tests "${@:2}" ;;
--inside) run_inside "${@:2}" && exit || exit ;;
--bury) bury "${@:2}" && exit || exit ;;
esac

files=()
for file; do
  [[ -f $file ]] || { echo "$file: no such file" >&2 && exit 2; }
  files+=("$(realpath "$file")")
done
cd "$(dirname "$me")/.." || exit
shopt -s nullglob
[[ $# -gt 0 ]] || files=(test/tools/*.test.ts)

# pdeathsig: a kill -9 of this shell ends what runs below it too.
if [[ $(id -u) = 0 ]] && unshare --net --mount --pid --fork true; then
  [[ $# -gt 0 ]] || files+=(test/e2e/*.test.ts test/hostile/*.test.ts)
  command=(setpriv --pdeathsig KILL unshare --net --mount --pid --fork --kill-child --mount-proc bash "$me" --inside)
  ending=KILL
  export LXDT_RUN=$$
elif [[ ${CI-} = true ]]; then
  echo 'CI=true needs root and unshare' >&2
  exit 1
else
  echo 'not root, or no unshare: test/e2e is left out' >&2
  command=(setpriv --pdeathsig TERM bash "$me" --tests)
  ending=TERM
  unset LXDT_RUN
fi
[[ ${#files[@]} -gt 0 ]] || { echo 'no tests' >&2 && exit 1; }

# Not /tmp: systemd mounts that without setuid, and containers live here. They pass through as other users.
TMPDIR=$(mktemp -d /var/tmp/lxdt-XXXXXX) || exit
exec {life}> >(exec setsid bash "$me" --bury "$TMPDIR" $$)
undertaker=$!
chmod 711 "$TMPDIR" && mkdir "$TMPDIR/home" || exit
export TMPDIR HOME=$TMPDIR/home
unset XDG_RUNTIME_DIR XDG_CONFIG_HOME XDG_CACHE_HOME REGISTRY_AUTH_FILE DOCKER_CONFIG
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY all_proxy ALL_PROXY

running=
stopped=
# shellcheck disable=SC2317 # the traps call it
stop() {
  stopped=$1
  [[ -z $running ]] || kill -s "$ending" "$running"
}
trap 'stop 130' INT
trap 'stop 143' TERM HUP

# In the background, for a trap waits until a child in the foreground has ended. node resets the ignored signals.
"${command[@]}" "${files[@]}" &
running=$!
{
  wait "$running"
  code=$?
  [[ -z $stopped ]] || wait "$running"
} 2>/dev/null
result=$(summary "$TMPDIR/results.tap" "${stopped:-$code}" 2>/dev/null)
code=$?
exec {life}>&-
wait "$undertaker"
[[ -z $stopped ]] || echo 'interrupted' >&2
echo "${result:-0 passed, 0 failed}"
exit "$code"
