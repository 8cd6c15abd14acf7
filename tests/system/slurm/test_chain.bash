# The three batch scripts one after the other, as cluster/README.md shows it.
# shellcheck shell=bash disable=SC2154  # variables of run and checks.bash

# class_folders FOLDER: drawn images as PNG files in a folder for each class.
class_folders() {
  local picture class
  "$build/convoy" synthesize "$folder/drawn" --images 8 --val-images 48 --classes 4 --image-size 68 --quiet --export "$folder/pictures" \
    --export-images 48 >/dev/null || broken "no images"
  for picture in "$folder/pictures"/*.png; do
    class=$(basename "$picture")
    class=${class%-*}
    mkdir -p "$1/$class"
    mv "$picture" "$1/$class/"
  done
}

# recipe FILE: this test's options as a recipe, of 40 steps.
recipe() {
  local option
  for ((option = 0; option < ${#train_options[@]}; option += 2)); do
    echo "${train_options[option]#--} = ${train_options[option + 1]}"
  done | sed 's/^steps = .*/steps = 40/' >"$1"
}

# The training job is stopped and requeued once: the evaluation waits for its end.
test_pack_train_evaluate() {
  local packed="$folder/packed store" run="$folder/a run" packing training found recorded
  class_folders "$folder/class folders"
  submit --ntasks-per-node 2 --cpus-per-task 1 "$root/cluster/pack.sbatch" "$folder/class folders" "$packed" train --image-size 68
  packing=$job
  submit --dependency "afterok:$packing" --ntasks-per-node 2 --cpus-per-task 1 "$root/cluster/pack.sbatch" "$folder/class folders" \
    "$packed" val --image-size 68
  packing=$job
  recipe "$folder/a recipe.cfg"
  train_options=(--config "$folder/a recipe.cfg")
  train_slowly --dependency "afterok:$packing" -- --data "$packed" --output "$run"
  training=$job
  submit --dependency "afterok:$training" --ntasks-per-node 2 --cpus-per-task 1 "$root/cluster/evaluate.sbatch" \
    --checkpoint "$run/checkpoints/latest" --data "$packed"
  await_steps "$run" 2
  scancel --signal USR1 "$training"
  await_success "$job" 120
  expect_equal "the attempts of the training run" "$(attempts_of "$run")" 2
  expect_equal "the last step" "$(saved_step "$run")" 40
  # As percentages with two digits: what the evaluation found and what the run's last validation had found.
  found=$(sed -n 's/.*loss [0-9.]*, top-1 \([0-9.]*\) %.*/\1/p' "$(log_of "$job")")
  recorded=$(sed -n 's/^{"kind":"validation","step":40,.*"top1":\([0-9.]*\).*/\1/p' "$run/metrics.jsonl")
  expect_equal "the evaluation's top-1" "$found" "$(awk -v top1="$recorded" 'BEGIN { printf "%.2f", 100 * top1 }')"
}
