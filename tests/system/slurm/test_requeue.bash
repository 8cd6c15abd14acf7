# Runs that are asked to stop, or whose time ends: by Slurm's warning, by the time that Slurm says is left, by a preemption.
# shellcheck shell=bash disable=SC2154  # variables of run and checks.bash

# Slurm looks twice a minute, so a warning of 30 seconds comes at most a minute before the limit: here in the first 30 seconds.
# With a limit of a minute later attempts may be stopped too, on a busy machine.
test_warning_before_the_limit() {
  local run="$folder/a run"
  train_slowly --time 1 --signal USR1@30 -- --output="$run" --deadline none
  await_success "$job" 120
  expect_text "$(log_of "$job")" "stopped on request"
  expect_text "$(log_of "$job")" "requeueing the job"
  expect_whole_run "$run"
}

test_preemption_with_grace() {
  local run="$folder/a run" preempted
  train_slowly --partition low --nodelist node6 -- --output "$run"
  preempted=$job
  await_steps "$run" 3
  submit --partition high --nodelist node6 --exclusive --wrap 'sleep 1'
  await_success "$job"
  await_success "$preempted"
  expect_equal "the number of restarts" "$(show "$preempted" Restarts)" 1
  expect_resumed "$run"
}

test_scancel_keeps_a_checkpoint() {
  local run="$folder/a run" cancelled saved
  train_slowly -- --output "$run"
  cancelled=$job
  await_steps "$run" 3
  scancel "$cancelled"
  wait_for 40 "the checkpoint after scancel" saved_step "$run"
  wait_for 40 "the end of job $cancelled" in_state "$cancelled" CANCELLED
  saved=$(saved_step "$run")
  if [ "$saved" -lt 3 ] || [ "$saved" -ge 25 ]; then broken "step $saved was saved instead of one in mid-run"; fi
  train -- --output "$run"
  await_success "$job"
  expect_resumed "$run"
}

test_refused_requeue() {
  local run="$folder/a run"
  train_slowly --no-requeue -- --output "$run"
  await_steps "$run" 2
  scancel --signal USR1 "$job"
  wait_for 60 "the end of job $job" in_state "$job" "FAILED COMPLETED CANCELLED"
  expect_equal "the exit code" "$(show "$job" ExitCode)" 75:0
  expect_text "$(log_of "$job")" "the job could not be requeued: submit the same line again"
}

# First from another run's checkpoint; requeued from its own.
test_requeue_of_a_run_that_resumed_another() {
  local run="$folder/a run" other="$straight_run/checkpoints/step-000000125.h5" code
  SLOW_READS_MILLISECONDS=60 train_slowly -- --output="$run" --resume "$other"  # reads the checkpoint slowly too
  await_steps "$run" 127
  scancel --signal USR1 "$job"
  await_success "$job"
  expect_text "$run/metrics.jsonl" "resumed at step 125 from $other"
  expect_equal "the number of attempts" "$(attempts_of "$run")" 2
  expect_equal "the list of recorded steps" "$(steps_of "$run" | tr '\n' ' ')" "$(seq 126 "$train_steps" | tr '\n' ' ')"
  cmp "$run/checkpoints/latest" "$straight_run/checkpoints/latest" || broken "the final checkpoint differs from the straight run's"
  (SLURM_JOB_ID=$job bash "$root/cluster/train.sbatch" --resume "$other") >"$folder/refused.log" 2>&1
  code=$?
  expect_equal "the exit code without --output" "$code" 64
  expect_text "$folder/refused.log" "needs --output beside it"
}

# No signal that means anything comes (SIGCONT in place of SIGUSR1): the run knows from Slurm when its minute ends.
test_deadline_without_a_signal() {
  local run="$folder/a run"
  SLOW_READS_MILLISECONDS=350 train_slowly --time 1 --signal CONT@1 -- --output "$run"
  await_success "$job" 150
  expect_text "$(log_of "$job")" "before the end of Slurm job $job"
  expect_text "$(log_of "$job")" "requeueing the job"
  expect_whole_run "$run"
}
