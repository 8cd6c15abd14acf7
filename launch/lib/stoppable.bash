# Sourced by launch/local and launch/mpirun: runs mpirun, turns INT, TERM and HUP into the request to stop, and keeps
# mpirun alive when its output breaks.
# shellcheck shell=bash disable=SC2154  # run_mark: bounded.bash

# relay [COMMAND...]: copies its input to its output to the end, even if nobody reads its output any more, and to COMMAND.
# mpirun aborts its ranks after a few writes to a closed pipe: a Ctrl-C that also ends the `tee` in "launch/local train … | tee
# log" would end the run before its checkpoint. Fails if the output cannot be written for another reason.
relay() {
  trap '' INT TERM HUP USR1
  if [ $# -eq 0 ]; then exec tee --output-error=warn-nopipe /dev/null; fi
  exec tee --output-error=warn-nopipe /dev/null >("$@")
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

# command_line WORD...: as a shell would read it.
command_line() {
  local word line=""
  for word in "$@"; do
    if ! [[ $word =~ ^[A-Za-z0-9_@%+=:,./^-]+$ ]]; then printf -v word %q "$word"; fi
    line+=" $word"
  done
  printf '%s\n' "${line# }"
}

# show_command WORD...: prints the command line, unless Convoy is told to print nothing but errors and the result; paler than
# what Convoy prints where the terminal has colours.
show_command() {
  case " $* " in *" --quiet "*) return ;; esac
  if [ -t 2 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
    printf '\033[2m%s\033[0m\n' "$(command_line "$@")" >&2
  else
    command_line "$@" >&2
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

# request_stop: asks the ranks to stop. The first time it says what will come, in place of a line that may be there: mpirun
# speaks of aborted jobs.
request_stop() {
  if [ "$training" = true ] && [ "$stopping" = false ] && [ -n "$child" ]; then
    if [ -t 2 ] && [ "${TERM:-dumb}" != dumb ]; then printf '\r\033[J' >&2; fi
    echo "Stopping: the ranks save a checkpoint and end with exit code 75, which mpirun will mention." >&2
  fi
  stopping=true
  if [ -n "$child" ]; then kill -USR1 "$child" 2>/dev/null; fi
}

training=false  # the command is `train`: its result is in its output folder, and all ranks stay to the end
stopping=false  # somebody asked to stop
child=""        # the process id of the mpirun that runs

# run_stoppable COMMAND...: runs it and returns its code. mpirun kills its ranks on INT, TERM and HUP but forwards USR1 to them,
# which is Convoy's request to stop. If output is lost, the code is 74 instead of 0, except for training. What ends an mpirun
# that does not end by itself is in bounded.bash.
run_stoppable() {
  local code last out err printed bound
  exec 3<&0
  exec 4> >(relay)
  out=$!
  exec 6<> <(:)  # a pipe
  exec 5> >(relay note_abort >&2 4>&-)
  err=$!
  # Job control gives the child its own process group, so a Ctrl-C in the terminal reaches only this script.
  set -m
  CONVOY_RUN=$run_mark "$@" <&3 >&4 2>&5 4>&- 5>&- 6>&- &
  child=$!
  set +m
  exec 4>&- 5>&-
  trap request_stop INT TERM HUP USR1
  bound_end "$child" &
  bound=$!
  while true; do
    wait "$child" 2>/dev/null  # bash would report a mpirun that a signal has ended
    code=$?
    # A trapped signal ends `wait` early; the run continues until it has saved its checkpoint.
    kill -0 "$child" 2>/dev/null || break
  done
  wait "$child" 2>/dev/null
  last=$?
  if [ "$last" -ne 127 ]; then code=$last; fi
  child=""
  echo ended >&6
  wait "$bound"
  last=$?
  if [ "$last" -ne 0 ]; then code=$last; fi
  exec 6>&-
  # A relay that still runs is left behind, so that a slow reader of its output loses nothing.
  wait_briefly "$out" "$err"
  printed=0
  if ! kill -0 "$out" 2>/dev/null; then
    wait "$out"
    printed=$?
  fi
  if [ "$code" -eq 0 ] && [ "$printed" -ne 0 ] && [ "$training" = false ]; then code=74; fi
  return "$code"
}
