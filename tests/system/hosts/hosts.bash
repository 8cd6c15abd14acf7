# Simulated hosts on one machine, for tests and for trying things by hand: network namespaces joined by a bridge that has a
# namespace of its own, so that nothing of the machine's real network changes. Each host has its own name (node1, node2, …),
# address (10.77.0.1, 10.77.0.2, …), /etc/hosts and TMPDIR; the files are the machine's, as on a shared file system. Takes root.
#
#   . tests/system/hosts/hosts.bash
#   trap hosts_down EXIT
#   hosts_available || { echo "skipped: $hosts_missing"; exit 77; }
#   hosts_up 2                              # two hosts; hosts_up 2 1gbit 1000: each sends 1 Gb/s, and all takes 1000 µs one way
#   host_run 1 launch/mpirun "$hosts_file" doctor        # on node1, with mpirun's variables for this network
#   host_run 1 mpirun --hostfile "$hosts_file" --map-by slot "$convoy" doctor
#   host_cut 2; host_join 2                 # pulls node2's cable; plugs it in again
#   host_rate 2 100mbit                     # another rate for what node2 sends; 0: no limit
#   host_pids 2                             # the processes of node2, one a line
#
# hosts_up sets: hosts_folder (scratch files, removed by hosts_down), hosts_file (a host file of `hosts_slots` ranks a host, 1
# unless you set it before), hosts_agent (stands in for ssh: AGENT HOST COMMAND…; host_run names it to mpirun), and for each
# host N a folder hosts_folder/nodeN with tmp/ (its TMPDIR). Set before hosts_up, where needed:
#
#   hosts_slots=2                           # ranks a host in hosts_file
#   hosts_own="/scratch /var/spool/slurmd"  # folders that exist and that each host has for itself (hosts_folder/nodeN/own/…)
#   hosts_pass="LD_LIBRARY_PATH"            # variables that the stand-in for ssh passes on; like ssh it passes nothing else
#   hosts_delay_line=…/delay_line           # the built target of that name, for delays, if it is not under build/
#
# hosts_down kills the processes in these namespaces and removes everything; it may be called again, and from a trap. Several
# scripts may do this at a time: all names contain the process id of the script that called hosts_up.
# shellcheck shell=bash

hosts_count=0
hosts_missing=""
hosts_cables=()
: "${hosts_delay_line:=$(cd "${BASH_SOURCE[0]%/*}/../../.." && pwd)/build/tests/system/hosts/delay_line}"

hosts_name() { echo "convoy-$hosts_owner-$1"; }

# hosts_available: whether this machine lets us simulate hosts; otherwise hosts_missing says why not.
hosts_available() {
  local tool probe=convoy-$$-probe
  hosts_missing=""
  for tool in ip tc unshare; do
    command -v "$tool" >/dev/null || hosts_missing="$tool is not installed (iproute2, util-linux)"
  done
  if [ "$(id -u)" -ne 0 ]; then hosts_missing="network namespaces take root's rights"; fi
  if [ -n "$hosts_missing" ]; then return 1; fi
  if ! ip netns add "$probe" 2>/dev/null; then
    hosts_missing="this machine forbids network namespaces"
    return 1
  fi
  if ! ip -n "$probe" link add probe type bridge 2>/dev/null || ! unshare --uts --mount true 2>/dev/null; then
    hosts_missing="this machine forbids bridges or other namespaces"
  fi
  ip netns delete "$probe"
  [ -z "$hosts_missing" ]
}

# hosts_up COUNT [RATE [MICROSECONDS]]: makes the hosts. Returns 1 with a message if something fails; then call hosts_down.
hosts_up() {
  local count=$1 rate=${2:-0} delay=${3:-0} number switch
  if [ "$delay" != 0 ] && [ ! -x "$hosts_delay_line" ]; then
    echo "hosts.bash: $hosts_delay_line does not exist; build the target delay_line" >&2
    return 1
  fi
  hosts_owner=$$
  hosts_folder=$(mktemp -d "${TMPDIR:-/tmp}/convoy-hosts-$$-XXXXXX") || return 1
  hosts_file=$hosts_folder/hosts
  hosts_agent=$hosts_folder/agent
  switch=$(hosts_name switch)
  ip netns add "$switch" || return 1
  hosts_count=$count
  ip -n "$switch" link add bridge type bridge || return 1
  ip -n "$switch" link set bridge up || return 1
  echo "127.0.0.1 localhost" >"$hosts_folder/names"
  for ((number = 1; number <= count; ++number)); do
    echo "10.77.0.$number node$number" >>"$hosts_folder/names"
    echo "node$number slots=${hosts_slots:-1}" >>"$hosts_file"
    hosts_add "$number" "$switch" "$delay" || return 1
    host_rate "$number" "$rate" || return 1
  done
  hosts_write_enter
  hosts_write_agent
}

# hosts_add NUMBER SWITCH DELAY: a namespace, joined to the bridge by a cable.
hosts_add() {
  local number=$1 switch=$2 delay=$3 name folder
  name=$(hosts_name "node$number")
  mkdir -p "$hosts_folder/node$number/tmp"
  for folder in ${hosts_own:-}; do mkdir -p "$hosts_folder/node$number/own$folder"; done
  ip netns add "$name" &&
    hosts_join_by_cable "$name" "$switch" "port$number" "$delay" &&
    ip -n "$switch" link set "port$number" master bridge up &&
    ip -n "$name" address add "10.77.0.$number/24" dev eth0 &&
    ip -n "$name" link set lo up &&
    ip -n "$name" link set eth0 up
}

# hosts_join_by_cable NAMESPACE SWITCH PORT DELAY: makes eth0 there and PORT in the switch, which are the two ends of a cable. With
# a delay the cable is a program, since many kernels lack netem, which tc would delay packets with.
hosts_join_by_cable() {
  local name=$1 switch=$2 port=$3 delay=$4 tries
  if [ "$delay" = 0 ]; then
    ip -n "$name" link add eth0 type veth peer name "$port" netns "$switch"
    return
  fi
  "$hosts_delay_line" "$name" eth0 "$switch" "$port" "$delay" >"$hosts_folder/$port" 2>&1 </dev/null &
  hosts_cables+=($!)
  for ((tries = 0; tries < 100; ++tries)); do
    if [ -s "$hosts_folder/$port" ]; then break; fi
    sleep 0.05
  done
  if [ "$(<"$hosts_folder/$port")" = ready ]; then return 0; fi
  cat "$hosts_folder/$port" >&2
  return 1
}

# The program `enter`: runs a command as a process of a host. Mounts concern this process and its children only.
hosts_write_enter() {
  {
    echo "#!/bin/bash"
    echo "# enter NUMBER COMMAND…: runs it on the simulated host nodeNUMBER."
    echo "set -eu"
    echo "number=\$1; shift"
    echo "exec ip netns exec \"$(hosts_name node)\$number\" unshare --uts --mount bash -c '"
    echo "  set -eu; number=\$1; shift"
    echo "  hostname \"node\$number\""
    echo "  mount --bind \"$hosts_folder/names\" /etc/hosts"
    echo "  for folder in ${hosts_own:-}; do mount --bind \"$hosts_folder/node\$number/own\$folder\" \"\$folder\"; done"
    echo "  export TMPDIR=\"$hosts_folder/node\$number/tmp\""
    echo "  exec \"\$@\"' enter \"\$number\" \"\$@\""
  } >"$hosts_folder/enter"
  chmod +x "$hosts_folder/enter"
}

# The stand-in for ssh, which mpirun starts: a fresh environment, and the words joined to a line for a shell. Like ssh it
# stays on its own host, and fails with 255 if the other does not answer or dies.
hosts_write_agent() {
  {
    echo "#!/bin/bash"
    echo "# agent [OPTION…] HOST COMMAND…: runs the command on the simulated host, as ssh does."
    echo "set -u"
    echo "while [[ \$1 == -* ]]; do shift; done"
    echo "host=\$1; shift"
    echo "answer=\$(timeout 3 bash -c \": </dev/tcp/\$host/22\" 2>&1)"
    echo "if [ \$? -ne 0 ] && [[ \$answer != *refused* ]]; then"
    echo "  echo \"agent: connect to host \$host: No route to host\" >&2"
    echo "  exit 255"
    echo "fi"
    echo "passed=()"
    echo "for name in ${hosts_pass:-}; do passed+=(\"\$name=\${!name:-}\"); done"
    echo "env -i HOME=\"\$HOME\" PATH=\"\$PATH\" SHELL=/bin/bash \"\${passed[@]}\" \\"
    echo "  \"$hosts_folder/enter\" \"\${host#node}\" bash -c \"\$*\""
    echo "code=\$?"
    echo "exit \$((code > 128 ? 255 : code))"
  } >"$hosts_agent"
  chmod +x "$hosts_agent"
}

# host_run NUMBER COMMAND…: runs it on that host, with what Open MPI needs to find the others.
host_run() {
  local number=$1
  shift
  env OMPI_MCA_plm_rsh_agent="$hosts_agent" OMPI_MCA_oob_tcp_if_include=eth0 OMPI_MCA_btl_tcp_if_include=eth0 \
    OMPI_MCA_btl_vader_single_copy_mechanism=none OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 \
    "$hosts_folder/enter" "$number" "$@"
}

host_cut() { ip -n "$(hosts_name switch)" link set "port$1" down; }
host_join() { ip -n "$(hosts_name switch)" link set "port$1" up; }

# host_rate NUMBER RATE: for what the host sends.
host_rate() {
  local number=$1 rate=$2 name
  name=$(hosts_name "node$number")
  ip netns exec "$name" tc qdisc delete dev eth0 root 2>/dev/null
  if [ "$rate" = 0 ]; then return 0; fi
  ip netns exec "$name" tc qdisc add dev eth0 root tbf rate "$rate" burst 128kb limit 4mb
}

host_pids() { ip netns pids "$(hosts_name "node$1")" 2>/dev/null; }

# hosts_down: ends all processes of the hosts and removes the hosts.
hosts_down() {
  local number tries pids
  if [ "$hosts_count" -eq 0 ]; then
    if [ -n "${hosts_folder:-}" ]; then rm -rf -- "$hosts_folder"; fi
    return 0
  fi
  for ((tries = 0; tries < 50; ++tries)); do
    pids=$(for ((number = 1; number <= hosts_count; ++number)); do host_pids "$number"; done)
    if [ -z "$pids" ]; then break; fi
    # shellcheck disable=SC2086  # a list
    kill -KILL $pids 2>/dev/null
    sleep 0.1
  done
  for ((number = 1; number <= hosts_count; ++number)); do
    ip netns delete "$(hosts_name "node$number")" 2>/dev/null
  done
  ip netns delete "$(hosts_name switch)" 2>/dev/null
  if [ "${#hosts_cables[@]}" -gt 0 ]; then kill -KILL "${hosts_cables[@]}" 2>/dev/null; fi
  hosts_cables=()
  rm -rf -- "$hosts_folder"
  hosts_count=0
}
