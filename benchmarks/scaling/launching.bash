# Sourced by benchmarks/scaling/run: how a number of ranks is started, on this machine, on the hosts of a file or by srun in an
# allocation of Slurm. Uses and sets its variables.
# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034  # its variables

# The hosts of the file with their slots, a line each: "node1 4".
listed_hosts() {
  local host rest slots
  while read -r host rest; do
    if [ -z "$host" ] || [[ $host == '#'* ]]; then continue; fi
    slots=1
    if [[ " $rest " =~ \ slots\ *=\ *([0-9]+)\  ]]; then slots=${BASH_REMATCH[1]}; fi
    echo "$host $slots"
  done < <(tr -d '\r' <"$1")
}

# choose_launcher RANKS: checks the wish against what is there for at most so many ranks, and sets launcher and most_on_a_host.
choose_launcher() {
  local needed=$1 host slots all=0 per_node
  [[ $launcher =~ ^(auto|mpirun|srun)$ ]] || stop 64 "--launcher $launcher: use auto, mpirun or srun"
  if [ "$launcher" = auto ]; then
    launcher=mpirun
    if [ -z "$hosts" ] && [ -n "${SLURM_JOB_ID:-}" ] && command -v srun >/dev/null; then launcher=srun; fi
  fi
  most_on_a_host=$needed
  if [ "$launcher" = srun ]; then
    [ -n "${SLURM_JOB_ID:-}" ] || stop 64 "--launcher srun requires an allocation of Slurm: use salloc or cluster/scaling.sbatch"
    [ -z "$hosts" ] || stop 64 "--hosts and --launcher srun exclude each other: Slurm knows the hosts"
    per_node=${SLURM_NTASKS_PER_NODE:-${SLURM_TASKS_PER_NODE:-1}}
    per_node=${per_node%%[!0-9]*}
    if [ "$needed" -gt "${SLURM_NTASKS:-$needed}" ]; then
      stop 64 "--ranks: the allocation has ${SLURM_NTASKS} tasks, fewer than $needed"
    fi
    if [ "$most_on_a_host" -gt "$per_node" ]; then most_on_a_host=$per_node; fi
  elif [ -n "$hosts" ]; then
    most_on_a_host=0
    while read -r host slots; do
      all=$((all + slots))
      if [ "$slots" -gt "$most_on_a_host" ]; then most_on_a_host=$slots; fi
    done < <(listed_hosts "$hosts")
    [ "$needed" -le "$all" ] || stop 64 "--ranks: $hosts has slots for $all ranks, fewer than $needed"
    if [ "$most_on_a_host" -gt "$needed" ]; then most_on_a_host=$needed; fi
  fi
}

# choose_device: sets computes (cpu, cuda) and training, the options that every run gets. On CPUs each rank has as many threads
# whatever their number: otherwise few ranks would use the cores of many.
choose_device() {
  local cores
  computes=$device
  if [ "$device" = auto ]; then
    computes=cpu
    if [ "$("$convoy" doctor --count-gpus --allow-single 2>/dev/null || echo 0)" -gt 0 ]; then computes=cuda; fi
  fi
  if [ "$computes" = cpu ] && [ -z "$threads" ]; then
    cores=${SLURM_CPUS_PER_TASK:-}
    if [ "$launcher" != srun ] || [ -z "$cores" ]; then
      cores=$("$convoy" doctor --count-cores --allow-single 2>/dev/null) || cores=1
      cores=$((cores / most_on_a_host))
    fi
    threads=$((cores > 1 ? cores : 1))
  fi
  training=()
  if [ -n "$threads" ]; then training=(--threads "$threads"); fi
}

# host_text RANKS: the host file of these ranks in one line; nothing without hosts.
host_text() {
  if [ -n "$hosts" ]; then tr '\n' ' ' <"$output/hosts/x$1"; fi
}

# launched RANKS PROGRAM WORD...: sets the array `launched` to the command that starts so many ranks of PROGRAM WORD.... With a
# host file they get one that has slots for these ranks only.
launched() {
  local count=$1 program=$2 host slots left=$1
  shift 2
  if [ "$launcher" = srun ]; then
    launched=(srun --ntasks "$count" --nodes "$(((count + most_on_a_host - 1) / most_on_a_host))" --kill-on-bad-exit=1)
    if [ -n "${SLURM_CPUS_PER_TASK:-}" ]; then launched+=(--cpus-per-task "$SLURM_CPUS_PER_TASK"); fi
    if [ -n "${SLURM_GPUS_PER_TASK:-}" ]; then launched+=(--gpus-per-task "$SLURM_GPUS_PER_TASK"); fi
    launched+=("$program" "$@")
  elif [ -n "$hosts" ]; then
    mkdir -p "$output/hosts"
    while read -r host slots; do
      if [ "$slots" -gt "$left" ]; then slots=$left; fi
      left=$((left - slots))
      if [ "$slots" -gt 0 ]; then echo "$host slots=$slots"; fi
    done < <(listed_hosts "$hosts") >"$output/hosts/x$count"
    launched=(env "CONVOY=$program" ${threads:+"OMP_NUM_THREADS=$threads"} "$root/launch/mpirun" "$output/hosts/x$count" "$@")
  else
    launched=(env "CONVOY=$program" "$root/launch/local" -n "$count" ${threads:+--threads "$threads"} "$@")
  fi
}
