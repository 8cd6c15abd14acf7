# Sourced by launch/local and launch/mpirun: ends what does not end by itself. mpirun waits for ever for a host that was cut off
# from the network, even after its ranks have given up, and ranks whose mpirun was killed may take a while.
# shellcheck shell=bash disable=SC2034,SC2154  # variables of stoppable.bash and programs.bash

# Stands in the environment of mpirun and of the ranks on this host, and tells them from other runs'.
run_mark=$$.$(date +%s%N)

abort_patience=10  # seconds for mpirun to end after a rank has aborted the run
alone_patience=15  # seconds for mpirun to end after the last rank on this host has ended

# note_abort: passes on, to pipe 6, what tells that a rank has ended the run: the watchdog's message, and mpirun's with the code,
# which may get lost. Reads to the end, as the input must not break; in pieces, as a live line has no end.
note_abort() {
  local line
  trap '' INT TERM HUP USR1
  while IFS= read -r -n 4096 line || [ -n "$line" ]; do
    case $line in
      *"no sign of life for"* | *"no progress for"* | *"MPI_ABORT was invoked"* | *"with errorcode "*) printf '%s\n' "$line" >&6 ;;
    esac
  done
}

# children_of PID: its children, separated by blanks, as far as the kernel tells.
children_of() {
  local file line
  for file in "/proc/$1/task/"*/children; do
    { IFS= read -r line || [ -n "$line" ]; } 2>/dev/null <"$file" && printf '%s' "$line"
  done
}

# ranks_of PID: those of its children that are ranks, separated by blanks: mpirun also starts ssh.
ranks_of() {
  local started process name
  read -ra started <<<"$(children_of "$1")"
  for process in ${started[@]+"${started[@]}"}; do
    if IFS= read -r name <"/proc/$process/comm" && [[ ${convoy##*/} == "$name"* ]]; then printf '%s ' "$process"; fi
  done 2>/dev/null
}

# bound_end PID: waits until that mpirun has ended. Ends it some seconds after a rank has aborted the run, or after the last rank
# on this host has ended if all ranks stay to the end, and returns the code of the run: 0 if mpirun ended by itself.
bound_end() {
  local run=$1 line code=0 aborted_at="" seen=false alone_at="" limit_reached=""
  trap '' INT TERM HUP USR1
  exec 4>&- 5>&- </dev/null
  while kill -0 "$run" 2>/dev/null; do
    if IFS= read -r -t 1 line <&6; then
      case $line in
        *"with errorcode "*)
          line=${line##*with errorcode }
          code=${line%%[^0-9]*}
          ;;
        *"no sign of life"* | *"no progress"* | *MPI_ABORT*) aborted_at=${aborted_at:-$SECONDS} ;;
      esac
    elif [ "$training" = true ]; then
      if [ -n "$(ranks_of "$run")" ]; then
        seen=true alone_at=""
      elif [ "$seen" = true ] && [ -z "$alone_at" ]; then
        alone_at=$SECONDS
      fi
    fi
    if [ -n "$aborted_at" ] && [ $((SECONDS - aborted_at)) -ge "$abort_patience" ]; then
      limit_reached="$abort_patience s after a rank ended the run"
    elif [ -n "$alone_at" ] && [ $((SECONDS - alone_at)) -ge "$alone_patience" ]; then
      limit_reached="$alone_patience s after the last rank on this host ended"
    fi
    if [ -n "$limit_reached" ]; then
      echo "launch/${0##*/}: mpirun still waits $limit_reached, perhaps for a host that does not answer; it is killed" >&2
      end_at_once "$run"
      if [ "${code:-0}" -eq 0 ]; then code=71; fi
      end_ranks
      return "$code"
    fi
  done
  end_ranks
  return 0
}

# end_at_once PID: that mpirun or daemon of Open MPI with the processes that it has started, such as ssh, and its scratch files.
# Asked to end while it waits, it would end in a fault of its own.
end_at_once() {
  local process=$1 started
  read -ra started <<<"$(children_of "$process")"
  kill -KILL "$process" ${started[@]+"${started[@]}"} 2>/dev/null
  rm -rf -- "${TMPDIR:-/tmp}/ompi."*".$(id -u)/pid.$process"
}

# ranks_left: the ranks of this run on this host, one a line.
ranks_left() {
  local folder name variables
  for folder in /proc/[0-9]*; do
    if ! IFS= read -r name <"$folder/comm" || [[ ${convoy##*/} != "$name"* ]]; then continue; fi
    mapfile -d '' variables <"$folder/environ"
    if [[ " ${variables[*]} " == *" CONVOY_RUN=$run_mark "* ]]; then echo "${folder##*/}"; fi
  done 2>/dev/null
}

# end_ranks: those that are left when their mpirun has ended; they notice it themselves within a moment.
end_ranks() {
  local left tries
  for ((tries = 0; tries < 20; ++tries)); do
    mapfile -t left < <(ranks_left)
    if [ "${#left[@]}" -eq 0 ]; then return; fi
    sleep 0.25
  done
  kill -KILL "${left[@]}" 2>/dev/null
}
