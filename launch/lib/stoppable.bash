# Sourced by launch/local and launch/mpirun: runs mpirun, turns INT, TERM and HUP into the request to stop, and keeps
# mpirun alive when its output breaks.
# shellcheck shell=bash

# relay: copies its input to its output to the end, even if nobody reads its output any more. mpirun aborts its ranks
# after a few writes to a closed pipe: a Ctrl-C that also ends the `tee` in "launch/local train … | tee log" would end
# the run before its checkpoint. Fails if the output cannot be written for another reason.
relay() {
  trap '' INT TERM HUP USR1
  exec tee --output-error=warn-nopipe /dev/null
}

# The width of the user's terminal, which the ranks cannot ask: mpirun gives them a terminal of its own.
terminal_columns() {
  local size
  if size=$({ stty size </dev/tty; } 2>/dev/null) && [ "${size#* }" -gt 0 ]; then echo "${size#* }"; else echo 80; fi
}

# add_terminal_options: appends to the array `command` what tells the ranks of the user's terminal: whether it shows standard
# output and standard error (mpirun gives them pipes and a terminal of its own), how wide it is, and what it can do.
add_terminal_options() {
  if [ -t 1 ]; then command+=(-x CONVOY_PROGRESS=live); fi
  if [ -t 2 ]; then command+=(-x CONVOY_MESSAGES=live); fi
  if [ -t 1 ] || [ -t 2 ]; then
    command+=(-x "COLUMNS=$(terminal_columns)" -x "TERM=${TERM:-dumb}")
    if [ -n "${NO_COLOR:-}" ]; then command+=(-x "NO_COLOR=$NO_COLOR"); fi
  fi
}

# show_command: prints the array `command`, unless Convoy is told to print nothing but errors and the result; paler than what
# Convoy prints where the terminal has colours.
show_command() {
  case " ${command[*]} " in *" --quiet "*) return ;; esac
  if [ -t 2 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
    printf '\033[2m%s\033[0m\n' "${command[*]}" >&2
  else
    echo "${command[*]}" >&2
  fi
}

# wait_briefly PID...: waits until all of them have ended, but at most three seconds. mpirun may leave a process that
# still holds its output, such as a master of ssh connections: nobody then knows when the relays will end.
wait_briefly() {
  local tries
  for ((tries = 0; tries < 60; ++tries)); do
    kill -0 "$@" 2>/dev/null || break  # fails when none of them runs
    sleep 0.05
  done
}

# request_stop PID: asks the ranks to stop. The first time it says what will come, in place of a line that may be there: mpirun
# speaks of aborted jobs.
request_stop() {
  if [ "${training:-false}" = true ] && [ "${stopping:-false}" = false ]; then
    if [ -t 2 ] && [ "${TERM:-dumb}" != dumb ]; then printf '\r\033[J' >&2; fi
    echo "Stopping: the ranks save a checkpoint and end with exit code 75, which mpirun will mention." >&2
  fi
  stopping=true
  kill -USR1 "$1" 2>/dev/null
}

# run_stoppable COMMAND...: runs it and exits with its code. mpirun kills its ranks on INT, TERM and HUP but forwards
# USR1 to them, which is Convoy's request to stop. If output is lost, the code is 74 instead of 0, except for training
# (training=true), whose result is in its output folder.
run_stoppable() {
  local child code last out err printed
  exec 3<&0
  exec 4> >(relay)
  out=$!
  exec 5> >(relay >&2 4>&-)
  err=$!
  # Job control gives the child its own process group, so a Ctrl-C in the terminal reaches only this script.
  set -m
  "$@" <&3 >&4 2>&5 4>&- 5>&- &
  child=$!
  set +m
  exec 4>&- 5>&-
  trap 'request_stop "$child"' INT TERM HUP USR1
  while true; do
    wait "$child"
    code=$?
    # A trapped signal ends `wait` early; the run continues until it has saved its checkpoint.
    kill -0 "$child" 2>/dev/null || break
  done
  wait "$child" 2>/dev/null
  last=$?
  if [ "$last" -ne 127 ]; then code=$last; fi
  # A relay that still runs is left behind, so that a slow reader of its output loses nothing.
  wait_briefly "$out" "$err"
  printed=0
  if ! kill -0 "$out" 2>/dev/null; then
    wait "$out"
    printed=$?
  fi
  if [ "$code" -eq 0 ] && [ "$printed" -ne 0 ] && [ "${training:-false}" = false ]; then code=74; fi
  if [ "$code" -eq 75 ]; then echo "Stopped with a checkpoint saved. To resume, run the same command with --resume auto." >&2; fi
  exit "$code"
}
