#include "cli/spelling.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

namespace convoy {
namespace {

char plain(char letter) {
  return letter == '_' ? '-' : letter;
}

constexpr std::string_view ranks_advice =
    "ranks come from the launcher: start it with launch/local (one node), launch/mpirun or srun";

constexpr std::pair<std::string_view, std::string_view> habits[] = {
    {"batch-size", "use --global-batch N: the samples of one update over all ranks together"},
    {"b", "use --global-batch N: the samples of one update over all ranks together"},
    {"batch", "use --global-batch N: the samples of one update over all ranks together"},
    {"start-epoch", "use --resume auto (or --resume PATH): the checkpoint knows where to go on"},
    {"solver", "use --config FILE: recipes stand in configs/, for instance configs/caffe.cfg"},
    {"snapshot", "use --resume PATH"},
    {"iterations", "use --steps N"},
    {"max-iter", "use --steps N"},
    {"learning-rate", "use --lr RATE"},
    {"base-lr", "use --lr RATE"},
    {"wd", "use --weight-decay"},
    {"arch", "use --model NAME; convoy models lists them"},
    {"a", "use --model NAME; convoy models lists them"},
    {"pretrained", "use --weights CHECKPOINT"},
    {"evaluate", "use the command convoy evaluate --checkpoint C --data STORE"},
    {"e", "use the command convoy evaluate --checkpoint C --data STORE"},
    {"print-freq", "use --log-every STEPS"},
    {"p", "use --log-every STEPS"},
    {"num-workers", "use --workers N"},
    {"j", "use --workers N"},
    {"num-classes", "use --classes N"},
    {"dataset", "use --data STORE"},
    {"gpu", "use --device cuda; launch/local starts one rank a GPU"},
    {"amp", "use --precision bf16"},
    {"betas", "use --adam-betas 0.9,0.999"},
    {"eps", "use --adam-epsilon"},
    {"accumulation-steps", "use --accumulate N"},
    {"world-size", ranks_advice},
    {"rank", ranks_advice},
    {"dist-url", ranks_advice},
    {"dist-backend", ranks_advice},
    {"multiprocessing-distributed", ranks_advice},
    {"nproc-per-node", ranks_advice},
};

}  // namespace

int edit_distance(std::string_view a, std::string_view b) {
  // Damerau and Levenshtein, optimal string alignment: three rows of the table.
  std::vector<int> before(b.size() + 1);
  std::vector<int> previous(b.size() + 1);
  std::vector<int> current(b.size() + 1);
  std::iota(previous.begin(), previous.end(), 0);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    current[0] = static_cast<int>(i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool equal = plain(a[i - 1]) == plain(b[j - 1]);
      current[j] = std::min({previous[j] + 1, current[j - 1] + 1, previous[j - 1] + (equal ? 0 : 1)});
      if (i > 1 && j > 1 && plain(a[i - 1]) == plain(b[j - 2]) && plain(a[i - 2]) == plain(b[j - 1]))
        current[j] = std::min(current[j], before[j - 2] + 1);
    }
    std::swap(before, previous);
    std::swap(previous, current);
  }
  return previous[b.size()];
}

std::string nearest_name(std::string_view text, const std::vector<std::string_view>& names) {
  int least = static_cast<int>(std::max<std::size_t>(1, text.size() / 3)) + 1;
  std::string_view nearest;
  for (const std::string_view name : names) {
    const int distance = edit_distance(text, name);
    if (distance < least) least = distance, nearest = name;
  }
  return std::string(nearest);
}

std::string habit_advice(std::string_view option) {
  while (option.starts_with('-')) option.remove_prefix(1);
  for (const auto& [theirs, advice] : habits)
    if (edit_distance(theirs, option) == 0) return std::string(advice);
  return {};
}

}  // namespace convoy
