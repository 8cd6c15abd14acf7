# Sourced by run: what the tests of the batch scripts share. A test is a function test_NAME that runs in a shell of its own, in
# a folder of its own ($folder, whose name contains a blank); `broken` ends it.
# shellcheck shell=bash disable=SC2034,SC2154  # variables of run

broken() {
  echo "FAILED: $*"
  exit 1
}

expect_equal() {
  if [ "$2" != "$3" ]; then broken "$1 is '$2' instead of '$3'"; fi
}

expect_text() {
  if ! grep -qF -- "$2" "$1"; then broken "$1 lacks '$2'"; fi
}

# wait_for SECONDS WHAT COMMAND…: until the command succeeds.
wait_for() {
  local seconds=$1 what=$2 end
  shift 2
  end=$((SECONDS + seconds))
  while ! "$@"; do
    if [ "$SECONDS" -ge "$end" ]; then broken "no sign of it after $seconds s: $what"; fi
    sleep 0.3
  done
}

# submit OPTION…: sbatch; sets `job`. The job's log is in this test's folder.
submit() {
  job=$(cd "$root" && sbatch --parsable --output "$folder/%j.log" --time 10 "$@") || broken "sbatch refused: $*"
}

# train OPTION… -- OPTION…: submits a training run of two ranks, with options for sbatch and for Convoy.
train() {
  local options=(--ntasks-per-node 2 --cpus-per-task 1)
  while [ "$1" != -- ]; do
    options+=("$1")
    shift
  done
  shift
  submit "${options[@]}" "$root/cluster/train.sbatch" "${train_options[@]}" "$@"
}

# train_slowly …: the same, but its first attempt reads slowly, about 0.5 s a step.
train_slowly() {
  local program=$CONVOY
  SLOW_CONVOY=$program SLOW_READS=$build/tests/support/libslow_reads.so \
    SLOW_READS_MILLISECONDS=${SLOW_READS_MILLISECONDS:-250} CONVOY=$here/slow_at_first train "$@"
}

log_of() { echo "$folder/$1.log"; }

# show JOB FIELD: a field of scontrol, such as JobState, ExitCode, Restarts, Reason.
show() { scontrol -o show job "$1" | grep -oP "(?<= $2=)\S*" | head -n 1; }

in_state() { [[ " $2 " == *" $(show "$1" JobState) "* ]]; }

# The job ended with success; the test's failure shows its log.
await_success() {
  local last="COMPLETED FAILED CANCELLED TIMEOUT NODE_FAIL OUT_OF_MEMORY"
  wait_for "${2:-90}" "the end of job $1" in_state "$1" "$last"
  if ! in_state "$1" COMPLETED; then
    cat "$(log_of "$1")"
    broken "job $1 ended as $(show "$1" JobState), exit code $(show "$1" ExitCode)"
  fi
}

steps_of() { sed -n 's/^{"kind":"step","step":\([0-9]*\).*/\1/p' "$1/metrics.jsonl" 2>/dev/null; }
last_step() { steps_of "$1" | tail -n 1; }
has_steps() { [ "$(last_step "$1")" -ge "$2" ] 2>/dev/null; }
await_steps() { wait_for 60 "step $2 of $1" has_steps "$1" "$2"; }
attempts_of() { grep -o '"attempt":[0-9]*' "$1/metrics.jsonl" | sort -u | wc -l; }
saved_step() {
  local name
  name=$(readlink "$1/checkpoints/latest") || return 1
  name=${name#step-}
  echo $((10#${name%.h5}))
}

# The run's records name every step once, in order, and its last checkpoint is the straight run's, byte for byte.
expect_whole_run() {
  local run=$1
  expect_equal "the list of recorded steps" "$(steps_of "$run" | tr '\n' ' ')" "$(seq "$train_steps" | tr '\n' ' ')"
  expect_equal "the last checkpoint's step" "$(saved_step "$run")" "$train_steps"
  cmp "$run/checkpoints/latest" "$straight_run/checkpoints/latest" || broken "the final checkpoint differs from the straight run's"
}

# expect_resumed RUN: it was stopped and went on, and its end is the straight run's.
expect_resumed() {
  expect_equal "the number of attempts" "$(attempts_of "$1")" 2
  expect_whole_run "$1"
}
