# Sourced by launch/local and launch/mpirun: starts a run again that a failure has ended, from its newest checkpoint.
# shellcheck shell=bash disable=SC2154  # command, convoy, stopping, training: the other files of this folder

restarts=0
restart_wait=5           # seconds before the first restart; --restart-wait
longest_restart_wait=300

# is_failure CODE: whether the same command may succeed at another time. Codes that Convoy returns for wrong usage, bad data, a
# bug, divergence and a stop on request would only come again, as would mpirun's 1, for options that it refuses. mpirun returns
# 128 + n for a rank that signal n ended, and 132 also if a host lacks the program.
is_failure() { [ "$1" -eq 71 ] || [ "$1" -eq 74 ] || { [ "$1" -gt 128 ] && [ "$1" -lt 160 ] && [ "$1" -ne 132 ]; }; }

# meaning CODE: for the message.
meaning() {
  case $1 in
    71) echo "a host, device or library failed" ;;
    74) echo "reading or writing failed" ;;
    *) echo "a rank or mpirun was ended by signal $(($1 - 128)), $(kill -l "$(($1 - 128))")" ;;
  esac
}

# option_value NAME WORD...: the last value of option --NAME among the words, and whether there is one.
option_value() {
  local name=$1 word before="" found=1 value=""
  shift
  for word in "$@"; do
    if [ "$before" = "--$name" ]; then value=$word found=0; fi
    case $word in "--$name="*) value=${word#*=} found=0 ;; esac
    before=$word
  done
  printf '%s' "$value"
  return "$found"
}

# newest_checkpoint WORD...: the name of the newest checkpoint of the run whose options these are.
newest_checkpoint() {
  local output
  if output=$(option_value output "$@"); then readlink "$output/checkpoints/latest"; fi
}

# wait_before_restart SECONDS: returns 1 as soon as somebody asks to stop.
wait_before_restart() {
  local pause
  sleep "$1" &
  pause=$!
  while [ "$stopping" = false ] && kill -0 "$pause" 2>/dev/null; do wait "$pause"; done
  kill "$pause" 2>/dev/null
  [ "$stopping" = false ]
}

# run_with_restarts SCRIPT WORD...: runs the array `command` with Convoy's words, again after failures, and exits with the last
# code. A restarted training resumes from its own newest checkpoint, whatever checkpoint it was first started from.
run_with_restarts() {
  local script=$1 attempt=1 pause=$restart_wait code before newest given again=()
  shift
  before=$(newest_checkpoint "$@")
  given=$(option_value resume "$@") || given=auto
  newest=$before
  while true; do
    show_command "${command[@]}" "$convoy" "$@" ${again[@]+"${again[@]}"}
    run_stoppable "${command[@]}" "$convoy" "$@" ${again[@]+"${again[@]}"}
    code=$?
    # Codes above the signals' are mpirun's own, such as 205 for a host that it lost: a failure of MPI.
    if [ "$code" -ge 193 ]; then code=71; fi
    if [ "$stopping" = true ] || [ "$restarts" -eq 0 ] || ! is_failure "$code"; then break; fi
    if [ "$attempt" -gt "$restarts" ]; then
      echo "$script: ended with code $code ($(meaning "$code")) after $restarts restart$([ "$restarts" -eq 1 ] || echo s), the most that --restarts allows" >&2
      break
    fi
    if [ "$training" = true ]; then
      if [ "$(newest_checkpoint "$@")" != "$newest" ]; then pause=$restart_wait; fi  # it got on
      newest=$(newest_checkpoint "$@")
      # A checkpoint that the user named stays the start until the run has written one.
      if [ "$given" = auto ] || [ "$given" = none ] || [ "$newest" != "$before" ]; then again=(--resume auto); fi
    fi
    attempt=$((attempt + 1))
    echo "$script: ended with code $code ($(meaning "$code")). Attempt $attempt of $((restarts + 1)) starts in $pause s$(
      if [ "$training" = true ]; then echo " from ${newest:-the beginning, as there is no checkpoint}"; fi
    ); Ctrl-C ends here." >&2
    if ! wait_before_restart "$pause"; then
      code=75
      break
    fi
    pause=$((pause * 2 < longest_restart_wait ? pause * 2 : longest_restart_wait))
  done
  if [ "$code" -eq 75 ]; then echo "Stopped with a checkpoint saved. To resume, run the same command with --resume auto." >&2; fi
  exit "$code"
}
