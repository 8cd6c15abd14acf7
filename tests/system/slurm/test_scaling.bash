# The scaling benchmark: in one allocation, and as a job for each number of ranks.
# shellcheck shell=bash disable=SC2154  # variables of run and checks.bash

scaling_options=(--ranks "1,2" --models alexnet-mini --batch 4 --device cpu --threads 1 --repeat 1 --seconds 0.2)

# Both numbers of ranks were measured by srun, the larger one on two nodes.
expect_scaling() {
  local out=$1 word
  for word in '"launcher": "srun"' '"hosts": 2' '"bus_alone": '; do expect_text "$out/scaling.json" "$word"; done
  if grep -q -e '"failure": "' -e 'failed' "$out/scaling.json"; then broken "$(grep '"failure": "' "$out/scaling.json")"; fi
  expect_text "$out/scaling.md" "| 2 | 2 | 8 | "
}

test_scaling_in_one_allocation() {
  submit --nodes 2 --ntasks-per-node 1 --cpus-per-task 1 "$root/cluster/scaling.sbatch" "${scaling_options[@]}" --output "$folder/out"
  await_success "$job"
  expect_scaling "$folder/out"
}

test_scaling_by_jobs() {
  local said out="$folder/by jobs"
  said=$(cd "$folder" && "$root/cluster/scaling.sbatch" --submit --time 10 --ntasks-per-node 1 --cpus-per-task 1 -- \
    "${scaling_options[@]}" --output "$out") || broken "nothing was submitted: $said"
  # images, one and two ranks, page
  read -r -a jobs <<<"${said#submitted }"
  job=${jobs[3]%;}
  await_success "$job"
  expect_scaling "$out"
}
