# Job arrays: each task is a run of its own.
# shellcheck shell=bash disable=SC2154  # variables of run and checks.bash

# The array's last task has the array's number as its own, and is interrupted: it alone is requeued.
test_array_of_seeds() {
  local seed run="$folder/seed"
  SLOW_READS_MILLISECONDS=150 train_slowly --array 1-3 -- --steps 40 --seed %a --output "$run %a"
  for seed in 1 2 3; do await_steps "$run $seed" 2; done
  expect_equal "the own number of the last task" "$(squeue -h -j "${job}_3" -o %A)" "$job"
  scancel --signal USR1 "${job}_3"
  wait_for 120 "the end of the array" no_job_left "$job"
  for seed in 1 2 3; do
    expect_equal "the last step of seed $seed" "$(saved_step "$run $seed")" 40
    expect_text "$run $seed/run.json" "\"seed\": \"$seed\""
  done
  expect_equal "the attempts of seeds 1, 2, 3" "$(attempts_of "$run 1") $(attempts_of "$run 2") $(attempts_of "$run 3")" "1 1 2"
  if cmp -s "$run 1/checkpoints/latest" "$run 2/checkpoints/latest"; then broken "two seeds gave the same weights"; fi
}

no_job_left() { [ -z "$(squeue -h -j "$1" -o %T 2>/dev/null)" ]; }

test_array_without_a_difference() {
  train --array 1-2 -- --output "$folder/a run"
  wait_for 60 "the end of the array" no_job_left "$job"
  expect_text "$(log_of "$job")" "write %a where they differ"
  if [ -e "$folder/a run" ]; then broken "a task trained all the same"; fi
}
