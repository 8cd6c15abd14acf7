# Several nodes, and a node that dies.
# shellcheck shell=bash disable=SC2154  # variables of run and checks.bash

test_two_nodes() {
  local run="$folder/a run"
  train --nodes 2 --ntasks-per-node 1 --nodelist node2,node3 -- --output "$run"
  await_success "$job"
  expect_whole_run "$run"
  if ! grep -q '"nodes": *2' "$run/run.json"; then broken "the run did not use two nodes"; fi
}

# The node is gone as by a power cut: batch script, srun, ranks and Slurm's daemon. Slurm requeues the job, which goes on on the
# other of two nodes from the newest checkpoint; the records of later steps are replaced.
test_node_dies() {
  local run="$folder/a run" died saved
  SLOW_READS_MILLISECONDS=100 train_slowly --exclude node2,node3,node6 -- --output "$run"
  wait_for 60 "a periodic checkpoint" saved_step "$run"
  await_steps "$run" 30
  died=$(show "$job" NodeList)
  "$CLUSTER_FOLDER/node" "${died#node}" die
  saved=$(saved_step "$run") || broken "no checkpoint was left"
  echo "$died died after step $(last_step "$run"); step $saved was saved"
  await_success "$job" 120
  if [ "$(show "$job" NodeList)" = "$died" ]; then broken "the job ran again on $died, which is dead"; fi
  expect_text "$run/metrics.jsonl" "\"what\":\"resume\",\"text\":\"resumed at step $saved"
  expect_resumed "$run"
}
