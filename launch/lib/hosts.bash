# Sourced by launch/mpirun: on which hosts it runs, and how mpirun reaches them.
# shellcheck shell=bash disable=SC2034,SC2154  # root, where, command, training: the scripts and the other files of this folder

# check_host_file FILE: ends with 64 if it cannot be one.
check_host_file() {
  if [ -d "$1" ]; then
    echo "launch/mpirun: host file '$1' is a folder" >&2
    exit 64
  fi
  if [ ! -f "$1" ]; then
    echo "launch/mpirun: host file '$1' does not exist. Name a host file, hosts (--hosts node1:4,node2:4), or run inside a \
Slurm allocation (salloc)" >&2
    exit 64
  fi
  if ! [[ $'\n'$(<"$1") =~ $'\n'[[:space:]]*[^#[:space:]] ]]; then
    echo "launch/mpirun: host file '$1' names no host; write a line for each, for example: node1 slots=4" >&2
    exit 64
  fi
  if [[ $(<"$1") == *$'\r'* ]]; then
    printf '%s\n' "launch/mpirun: host file '$1' has the line ends of Windows, which mpirun does not read; \
remove them: sed -i 's/\r\$//' '$1'" >&2
    exit 64
  fi
}

# use_hosts WHAT: sets `where`, mpirun's words for a host file or a list such as node1:4,node2:4.
use_hosts() {
  local part
  if [[ $1 != *[:,]* ]] && { [ -e "$1" ] || [[ $1 == */* ]]; }; then
    check_host_file "$1"
    where=(--hostfile "$1")
    return
  fi
  while IFS= read -r part; do
    if ! [[ $part =~ ^[A-Za-z0-9][A-Za-z0-9._-]*(:[1-9][0-9]*)?$ ]]; then
      echo "launch/mpirun: '$part' in --hosts is not HOST or HOST:RANKS; write for example --hosts node1:4,node2:4" >&2
      exit 64
    fi
  done <<<"${1//,/$'\n'}"
  where=(--host "$1")
}

# in_allocation: whether Slurm has given us nodes (salloc, sbatch).
in_allocation() { [ -n "${SLURM_JOB_NODELIST:-}" ]; }

# repeated COUNTS: Slurm's "4(x2),3" as lines: 4, 4, 3.
repeated() {
  local part times
  while IFS= read -r part; do
    times=1
    if [[ $part =~ \(x([0-9]+)\)$ ]]; then times=${BASH_REMATCH[1]}; fi
    while [ "$times" -gt 0 ]; do
      echo "${part%%(*}"
      times=$((times - 1))
    done
  done <<<"${1//,/$'\n'}"
}

# ranks_of_nodes: ranks of each node of the allocation, one a line. As many as tasks, if the user asked for a number of them;
# else one per GPU; else one per 8 CPUs, as launch/local starts. Slurm itself counts a task for each CPU then.
ranks_of_nodes() {
  local count
  if [ -n "${SLURM_NTASKS:-}${SLURM_NTASKS_PER_NODE:-}" ]; then
    repeated "${SLURM_TASKS_PER_NODE:-${SLURM_NTASKS_PER_NODE:-1}}"
  elif [ -n "${SLURM_GPUS_PER_NODE:-${SLURM_GPUS_ON_NODE:-}}" ]; then
    count=${SLURM_GPUS_PER_NODE:-$SLURM_GPUS_ON_NODE}  # "4" or "a100:4"
    echo "${count##*:}"
  else
    repeated "${SLURM_JOB_CPUS_PER_NODE:-1}" | while IFS= read -r count; do echo $(((count + 7) / 8)); done
  fi
}

# use_allocation: sets `where` from Slurm's variables. mpirun starts its daemons by srun then, without ssh; it takes the list of
# hosts from us, because it would start a rank for every task, which without a number of tasks means every CPU.
use_allocation() {
  local names counts index list=""
  if ! names=$(scontrol show hostnames "$SLURM_JOB_NODELIST") || [ -z "$names" ]; then
    echo "launch/mpirun: 'scontrol show hostnames $SLURM_JOB_NODELIST' does not list the job's nodes; name the hosts: \
--hosts node1:4,node2:4" >&2
    exit 71
  fi
  mapfile -t names <<<"$names"
  mapfile -t counts <<<"$(ranks_of_nodes)"
  for index in "${!names[@]}"; do
    # Fewer numbers than nodes: the last one holds for the rest.
    list+=,${names[index]}:${counts[index]:-${counts[-1]}}
  done
  where=(--mca ras ^slurm --host "${list#,}")
}

# add_setting NAME VALUE: a parameter of mpirun, unless the user has set it.
add_setting() {
  local variable=OMPI_MCA_$1
  if [ -n "${!variable:-}" ] || [[ " ${CONVOY_MPIRUN_OPTIONS:-} " == *" $1 "* ]]; then return; fi
  command+=(--mca "$1" "$2")
}

# add_host_watch: mpirun and its daemons on the other hosts find a lost connection within two minutes instead of eight or never,
# and host_guard stays with each daemon. A connection on which data is under way is the kernel's to give up (15 minutes).
add_host_watch() {
  add_setting oob_tcp_keepalive_time 60
  add_setting oob_tcp_keepalive_intvl 15
  add_setting oob_tcp_keepalive_probes 4
  # mpirun divides this at blanks and passes it through a shell.
  if [[ $root =~ ^[A-Za-z0-9_@%+=:,./-]+$ ]]; then
    if [ "$training" = true ]; then
      add_setting orte_launch_agent "$root/launch/lib/host_guard --all-stay orted"
    else
      add_setting orte_launch_agent "$root/launch/lib/host_guard orted"
    fi
  fi
}
