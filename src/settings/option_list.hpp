// Collects the entries of the options of `convoy train`; the implementation files of the list
// (train_options.cpp, place_options.cpp) share it.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "settings/train_option.hpp"

namespace convoy {

inline constexpr std::int64_t any_count = std::numeric_limits<std::int64_t>::max();
inline constexpr std::int64_t any_int = std::numeric_limits<int>::max();

inline constexpr auto group_what = "What to train", group_length = "How long", group_batch = "Batch",
                      group_optimizer = "Optimiser", group_schedule = "Schedule of the rate",
                      group_network = "Network", group_input = "Input",
                      group_records = "Records for other programs", group_machine = "Machine";

// Collects entries; `in` sets the group and concern of those that follow.
class OptionList {
 public:
  void in(const char* group, Concern concern) {
    group_ = group;
    concern_ = concern;
  }
  template <typename Member, typename Value>
  TrainOption& add(const char* name, Member member, Notation<Value> notation, const char* help) {
    std::string value_name = notation.value_name;
    std::vector<std::string> words = notation.words;
    return list_.emplace_back(name, std::move(value_name), help)
        .in(group_, concern_)
        .offering(std::move(words))
        .template of<Value>(member, std::move(notation));
  }
  TrainOption& add(const char* name, const char* value_name, const char* help, TrainOption::Reader read,
                   TrainOption::Writer write) {
    return list_.emplace_back(name, value_name, help)
        .in(group_, concern_)
        .through(std::move(read), std::move(write));
  }
  std::vector<TrainOption> take() { return std::move(list_); }

 private:
  std::vector<TrainOption> list_;
  const char* group_ = "";
  Concern concern_ = Concern::result;
};

// The options that decide no result.
void add_place_options(OptionList& list);
void add_machine_options(OptionList& list);

}  // namespace convoy
