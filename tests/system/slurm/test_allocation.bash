# By hand instead of by a script: an allocation, and launch/mpirun in it.
# shellcheck shell=bash disable=SC2154  # variables of run and checks.bash

test_mpirun_in_an_allocation() {
  local run="$folder/a run"
  salloc --nodes 2 --ntasks-per-node 1 --nodelist node2,node3 --time 5 "$root/launch/mpirun" train "${train_options[@]}" --output "$run" \
    >"$folder/salloc.log" 2>&1 || {
    cat "$folder/salloc.log"
    broken "the run failed"
  }
  expect_whole_run "$run"
  if ! grep -q '"nodes": *2' "$run/run.json"; then broken "the run did not use two nodes"; fi
}
