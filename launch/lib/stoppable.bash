# Sourced by launch/local and launch/mpirun: runs mpirun so that INT, TERM and HUP become the request to stop.
# shellcheck shell=bash

# run_stoppable COMMAND...: runs it and exits with its code. mpirun answers INT, TERM and HUP by killing its ranks but passes
# USR1 on to them, which is Convoy's request to stop.
run_stoppable() {
  local child code last
  exec 3<&0
  # Job control gives the child a process group of its own, so that a Ctrl-C of the terminal reaches this script only.
  set -m
  "$@" <&3 &
  child=$!
  set +m
  trap 'kill -USR1 "$child" 2>/dev/null' INT TERM HUP USR1
  while true; do
    wait "$child"
    code=$?
    # A trapped signal ends `wait` early; the run goes on until it has saved its checkpoint.
    kill -0 "$child" 2>/dev/null || break
  done
  wait "$child" 2>/dev/null
  last=$?
  if [ "$last" -ne 127 ]; then code=$last; fi
  if [ "$code" -eq 75 ]; then echo "Stopped, and a checkpoint is saved: the same command with --resume auto goes on." >&2; fi
  exit "$code"
}
