# Sourced by launch/local and launch/mpirun: runs mpirun and turns INT, TERM and HUP into the request to stop.
# shellcheck shell=bash

# run_stoppable COMMAND...: runs it and exits with its code. mpirun kills its ranks on INT, TERM and HUP but forwards
# USR1 to them, which is Convoy's request to stop.
run_stoppable() {
  local child code last
  exec 3<&0
  # Job control gives the child its own process group, so a Ctrl-C in the terminal reaches only this script.
  set -m
  "$@" <&3 &
  child=$!
  set +m
  trap 'kill -USR1 "$child" 2>/dev/null' INT TERM HUP USR1
  while true; do
    wait "$child"
    code=$?
    # A trapped signal ends `wait` early; the run continues until it has saved its checkpoint.
    kill -0 "$child" 2>/dev/null || break
  done
  wait "$child" 2>/dev/null
  last=$?
  if [ "$last" -ne 127 ]; then code=$last; fi
  if [ "$code" -eq 75 ]; then echo "Stopped with a checkpoint saved. To resume, run the same command with --resume auto." >&2; fi
  exit "$code"
}
