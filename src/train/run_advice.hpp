// What slows a run down, in words and with a remedy: input that steps wait for, a rank that is slower than
// the others, sums of gradients that computation does not hide. Figures in, sentences out; without clocks or
// messages. RunReport asks it on rank 0 whenever it has gathered the ranks' times.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "settings/train_configuration.hpp"

namespace convoy {

// One rank's seconds in the steps between two records.
struct RankTimes {
  double computing = 0;  // forward, backward and update, without waiting for other ranks
  double input = 0;      // waiting for images
  double exposed = 0;    // waiting for sums of gradients
};

struct WindowTimes {
  std::int64_t steps = 0;
  double seconds = 0;  // of all these steps, on the slowest rank
  std::span<const RankTimes> ranks;
};

// What the sentences name.
struct AdviceFacts {
  std::vector<std::string> hosts;  // by rank
  int nodes = 1;
  int workers = 1;
  bool staged = false;  // shards are copied to local disks already
  bool nccl = false;    // what sums gradients
  WirePrecision wire = WirePrecision::fp32;
};

struct Advice {
  enum class Change { begins, worsens, clears };
  std::string what;  // "starved", "straggler", "communication": the `what` of an event
  Change change = Change::begins;
  std::string text;
};

// Follows one measure and says when it begins and ceases to matter: when it has reached `begin` and when it
// is below `clear`, each in two judgements in a row. It worsens when it has grown by half since it was last
// told; it begins anew only some judgements after that.
class SlowdownTracker {
 public:
  SlowdownTracker(double begin, double clear) : begin_(begin), clear_(clear) {}

  // `subject`: whom it is about (a rank); another one is another slowdown. True if there is something to
  // tell, which is then in change().
  bool judge(double measure, int subject);
  Advice::Change change() const { return change_; }

 private:
  bool tell(Advice::Change change, double measure, int subject);

  double begin_, clear_, told_ = 0;
  bool active_ = false;
  int told_subject_ = -1, last_subject_ = -1;
  static constexpr int pause = 10;  // judgements between telling and another beginning
  int over_ = 0, worse_ = 0, under_ = 0, since_told_ = pause;
  Advice::Change change_ = Advice::Change::begins;
};

class RunAdvisor {
 public:
  explicit RunAdvisor(AdviceFacts facts) : facts_(std::move(facts)) {}

  // The times since the last call. The first ones are left out, because they contain steps that warm up;
  // later ones are judged together until they are long enough to say something.
  std::vector<Advice> judge(const WindowTimes& times);

 private:
  struct Measures;
  Measures measure() const;
  void judge_input(const Measures& measures, std::vector<Advice>& advice);
  void judge_ranks(const Measures& measures, std::vector<Advice>& advice);
  void judge_communication(const Measures& measures, std::vector<Advice>& advice);
  std::string name_of(int rank) const;  // "rank 3 on node07"

  AdviceFacts facts_;
  bool warm_ = false;
  std::int64_t steps_ = 0;  // gathered since the last judgement …
  double seconds_ = 0;
  std::vector<RankTimes> ranks_;  // … and their sums
  SlowdownTracker input_{0.2, 0.1}, straggler_{0.25, 0.12}, communication_{0.3, 0.2};
};

}  // namespace convoy
