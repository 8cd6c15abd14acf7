#include "data/bulk_ranges.hpp"

#include <algorithm>

namespace convoy {

std::vector<BulkRange> in_order(std::vector<BulkRange> ranges) {
  std::erase_if(ranges, [](const BulkRange& range) { return range.bytes == 0; });
  std::ranges::sort(ranges, {}, &BulkRange::offset);
  return ranges;
}

void read_between(const FileDescriptor& file, std::uint64_t end, std::span<const BulkRange> ranges,
                  const std::function<void(std::uint64_t, std::span<const std::byte>)>& take) {
  std::vector<std::byte> buffer(1 << 20);
  std::uint64_t at = 0;
  const auto take_until = [&](std::uint64_t stop) {
    while (at < stop) {
      const auto piece = std::span(buffer).first(std::min<std::uint64_t>(buffer.size(), stop - at));
      file.read_exactly(at, piece);
      take(at, piece);
      at += piece.size();
    }
  };
  for (const BulkRange& range : ranges) {
    take_until(std::min(range.offset, end));
    at = std::max(at, range.offset + range.bytes);
  }
  take_until(end);
}

}  // namespace convoy
