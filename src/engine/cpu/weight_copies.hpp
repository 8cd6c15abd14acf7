// Copies of parameters in the layout and element type that a primitive wants, made from the canonical float32
// buffer when a pass first needs them after the parameters changed. Owned by a replica, shared by its
// programs.
#pragma once

#include <cstdint>
#include <deque>

#include "device/aligned_buffer.hpp"
#include "engine/cpu/onednn.hpp"
#include "engine/cpu/patch_filter.hpp"

namespace convoy::cpu {

class WeightCopy {
 public:
  // `canonical` is a view of the flat parameter buffer; with an equal `wanted` nothing is copied, ever.
  WeightCopy(Library& library, const memory& canonical, const memory::desc& wanted, Backing backing);

  // A filter spread over patches; `wanted` describes that one.
  WeightCopy(Library& library, const memory& canonical, const memory::desc& wanted, const PatchFilter& filter,
             Backing backing);

  const memory& values() const { return values_; }
  std::size_t bytes() const { return patched_.size() + storage_.size(); }

  // Copies when `version` of the parameters is not the one copied last.
  void refresh(Library& library, std::int64_t version);

 private:
  friend class WeightCopies;
  void copy_from(Library& library, memory source, const memory::desc& wanted, Backing backing);

  memory canonical_, values_;
  PatchFilter filter_;     // patch 1: not spread
  AlignedBuffer patched_;  // the spread filter, float32, row-major
  AlignedBuffer storage_;
  Primitive copy_;
  std::int64_t copied_version_ = -1;
};

class WeightCopies {
 public:
  explicit WeightCopies(Backing backing = Backing::memory) : backing_(backing) {}

  // The copy of `canonical` as `wanted`: made at the first call, the same for every later one.
  WeightCopy* get(Library& library, const memory& canonical, const memory::desc& wanted);
  WeightCopy* get(Library& library, const memory& canonical, const memory::desc& wanted,
                  const PatchFilter& filter);

  std::size_t bytes() const;  // of all copies

 private:
  WeightCopy* find(const memory& canonical, const memory::desc& wanted, const PatchFilter& filter);

  Backing backing_;
  std::deque<WeightCopy> copies_;  // a deque: pointers stay valid
};

}  // namespace convoy::cpu
