#include "engine/cpu/patch_filter.hpp"

#include <algorithm>

namespace convoy::cpu {

namespace {

// Calls `move(own, patched)` with the places of every element that both filters have.
template <typename Move>
void for_each_place(const PatchFilter& filter, Move&& move) {
  const int side = filter.side(), patch = filter.patch, kernel = filter.kernel;
  std::int64_t own = 0;
  for (int f = 0; f < filter.filters; ++f) {
    for (int c = 0; c < filter.channels; ++c) {
      for (int y = 0; y < kernel; ++y) {
        for (int x = 0; x < kernel; ++x) {
          const std::int64_t channel = (y % patch * patch + x % patch) * filter.channels + c;
          move(own++, ((f * filter.patched_channels() + channel) * side + y / patch) * side + x / patch);
        }
      }
    }
  }
}

}  // namespace

void to_patches(const PatchFilter& filter, const float* own, float* patched) {
  std::fill_n(patched, filter.patched_elements(), 0.0F);
  for_each_place(filter, [&](std::int64_t from, std::int64_t to) { patched[to] = own[from]; });
}

void from_patches(const PatchFilter& filter, const float* patched, float* own) {
  for_each_place(filter, [&](std::int64_t to, std::int64_t from) { own[to] = patched[from]; });
}

}  // namespace convoy::cpu
