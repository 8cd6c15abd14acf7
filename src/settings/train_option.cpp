#include "settings/train_option.hpp"

namespace convoy {

std::string TrainOption::default_text() const {
  if (!default_text_.empty() || keyed_) return default_text_;
  return write_(TrainConfiguration()).front().second;
}

TrainOption& TrainOption::in(std::string group, Concern concern) {
  group_ = std::move(group);
  concern_ = concern;
  return *this;
}

TrainOption& TrainOption::offering(std::vector<std::string> words) {
  words_ = std::move(words);
  return *this;
}

TrainOption& TrainOption::when(std::function<bool(const TrainConfiguration&)> applies) {
  applies_ = std::move(applies);
  return *this;
}

TrainOption& TrainOption::when(std::string decider, std::function<bool(const TrainConfiguration&)> applies) {
  decider_ = std::move(decider);
  return when(std::move(applies));
}

TrainOption& TrainOption::otherwise(std::string default_text) {
  default_text_ = std::move(default_text);
  return *this;
}

TrainOption& TrainOption::resumed(OnResume on_resume) {
  on_resume_ = on_resume;
  return *this;
}

TrainOption& TrainOption::through(Reader read, Writer write) {
  read_ = std::move(read);
  write_ = std::move(write);
  return *this;
}

TrainOption& TrainOption::with_keys() {
  keyed_ = true;
  return *this;
}

}  // namespace convoy
