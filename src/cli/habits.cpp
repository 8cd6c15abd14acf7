#include "cli/habits.hpp"

#include <utility>

#include "settings/spelling.hpp"

namespace convoy {
namespace {

constexpr std::string_view ranks_advice =
    "the launcher sets the ranks: use launch/local (one node), launch/mpirun or srun";

constexpr std::pair<std::string_view, std::string_view> habits[] = {
    {"batch-size", "use --global-batch N: the samples of one update over all ranks together"},
    {"b", "use --global-batch N: the samples of one update over all ranks together"},
    {"batch", "use --global-batch N: the samples of one update over all ranks together"},
    {"start-epoch", "use --resume auto (or --resume PATH): the checkpoint records the position"},
    {"solver", "use --config FILE: recipes are in configs/, for example configs/caffe.cfg"},
    {"snapshot", "use --resume PATH"},
    {"iterations", "use --steps N"},
    {"max-iter", "use --steps N"},
    {"learning-rate", "use --lr RATE"},
    {"base-lr", "use --lr RATE"},
    {"wd", "use --weight-decay"},
    {"arch", "use --model NAME; convoy models lists them"},
    {"a", "use --model NAME; convoy models lists them"},
    {"pretrained", "use --weights FILE: a checkpoint, or a .pth of PyTorch"},
    {"evaluate", "use the command convoy evaluate --checkpoint C --data STORE"},
    {"e", "use the command convoy evaluate --checkpoint C --data STORE"},
    {"print-freq", "use --log-every STEPS"},
    {"p", "use --log-every STEPS"},
    {"num-workers", "use --workers N"},
    {"j", "use --workers N"},
    {"num-classes", "use --classes N"},
    {"dataset", "use --data STORE"},
    {"gpu", "use --device cuda; launch/local starts one rank per GPU"},
    {"amp", "use --precision bf16"},
    {"betas", "use --adam-betas 0.9,0.999"},
    {"eps", "use --adam-epsilon"},
    {"accumulation-steps", "use --accumulate N"},
    {"verbose", "use --log-level debug"},
    {"v", "use --log-level debug"},
    {"debug", "use --log-level debug"},
    {"q", "use --quiet"},
    {"silent", "use --quiet"},
    {"world-size", ranks_advice},
    {"rank", ranks_advice},
    {"dist-url", ranks_advice},
    {"dist-backend", ranks_advice},
    {"multiprocessing-distributed", ranks_advice},
    {"nproc-per-node", ranks_advice},
};

}  // namespace

std::string habit_advice(std::string_view option) {
  while (option.starts_with('-')) option.remove_prefix(1);
  for (const auto& [theirs, advice] : habits)
    if (edit_distance(theirs, option) == 0) return std::string(advice);
  return {};
}

}  // namespace convoy
