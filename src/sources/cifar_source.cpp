#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <sstream>

#include "base/error.hpp"
#include "base/file_descriptor.hpp"
#include "base/text_file.hpp"
#include "base/text_list.hpp"
#include "sources/source_kinds.hpp"

namespace convoy {

namespace fs = std::filesystem;

namespace {

// A record of the binary version: one byte of label, then 32 × 32 bytes of each colour.
constexpr std::uint64_t pixel_bytes = 3072, record_bytes = 1 + pixel_bytes;

bool is_batch_of(std::string_view path, std::string_view split) {
  const auto name = file_name(path);
  if (split == "val") return name == "test_batch.bin";
  return name.starts_with("data_batch_") && name.ends_with(".bin");
}

bool is_batch(std::string_view path) {
  return is_batch_of(path, "train") || is_batch_of(path, "val");
}

bool is_meta(std::string_view path) {
  return file_name(path) == "batches.meta.txt";
}

// Class names in label order: the lines of batches.meta.txt.
std::vector<std::string> parse_meta(const std::string& text, const std::string& where) {
  std::vector<std::string> names;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    if (!line.empty()) names.push_back(line);
  }
  if (names.size() != 10)
    fail(ExitCode::bad_data, "{} lists {} classes, CIFAR-10 has 10", where, names.size());
  return names;
}

// Sorts the classes, as for all sources, and adapts the labels.
void sort_classes(SourceIndex& index) {
  std::vector<std::string> sorted = index.classes;
  std::ranges::sort(sorted);
  std::vector<std::int32_t> sorted_label;
  for (const std::string& name : index.classes)
    sorted_label.push_back(static_cast<std::int32_t>(std::ranges::find(sorted, name) - sorted.begin()));
  for (SourceItem& item : index.items) item.label = sorted_label[static_cast<std::size_t>(item.label)];
  index.classes = std::move(sorted);
}

// Number of a training batch, from 1; 0 for other names.
int batch_number(std::string_view batch) {
  constexpr std::string_view before = "data_batch_", after = ".bin";
  if (!batch.starts_with(before) || !batch.ends_with(after)) return 0;
  int number = 0;
  const char* const end_of_number = batch.data() + batch.size() - after.size();
  const auto [end, error] = std::from_chars(batch.data() + before.size(), end_of_number, number);
  return error == std::errc() && end == end_of_number && number > 0 ? number : 0;
}

std::string_view batch_of(const SourceItem& item) {
  return std::string_view(item.name).substr(0, item.name.find('/'));
}

// Items of one batch; `label_of(record)` is its label byte.
template <typename LabelOf>
void add_batch(SourceIndex& index, const std::string& batch, std::uint64_t bytes, std::uint32_t file,
               std::uint64_t base, LabelOf&& label_of) {
  if (is_batch_of(batch, "train") && batch_number(batch) == 0) {
    fail(ExitCode::bad_data,
         "{} is named like a CIFAR-10 batch but has no number as in data_batch_1.bin: remove it if it is a "
         "copy, or rename it",
         batch);
  }
  if (bytes == 0 || bytes % record_bytes != 0) {
    fail(ExitCode::bad_data, "{}: {} bytes are not a whole number of CIFAR-10 records of {}", batch, bytes,
         record_bytes);
  }
  const auto same_number = std::ranges::find_if(index.items, [&](const SourceItem& item) {
    return batch_number(batch_of(item)) == batch_number(batch) && batch_number(batch) > 0;
  });
  if (same_number != index.items.end())
    fail(ExitCode::bad_data, "{} and {} are the same batch of CIFAR-10: remove one", batch_of(*same_number),
         batch);
  for (std::uint64_t record = 0; record < bytes / record_bytes; ++record) {
    SourceItem item;
    item.name = fmt::format("{}/{:05}", batch, record);
    item.label = label_of(record);
    if (item.label >= 10) fail(ExitCode::bad_data, "{}: record {} has label {}", batch, record, item.label);
    item.file = file;
    item.offset = base + record * record_bytes + 1;
    item.bytes = pixel_bytes;
    index.items.push_back(std::move(item));
  }
}

SourceIndex empty_index(std::string_view form) {
  SourceIndex index;
  index.kind = fmt::format("CIFAR-10 binary version ({})", form);
  index.encoding = SourceEncoding::cifar_planes;
  index.storage = SourceStorage::parts_of_files;
  return index;
}

[[noreturn]] void fail_incomplete(const fs::path& path, std::string_view missing) {
  fail(ExitCode::bad_data, "{} looks like CIFAR-10's binary version but has no {}: download or copy it again",
       path.string(), missing);
}

// The distributed training set is data_batch_1.bin to data_batch_5.bin of 10,000 records each. A set that is
// smaller on purpose has smaller batches, in any number, but without a gap.
void require_all_batches(const SourceIndex& index, const fs::path& path) {
  constexpr std::int64_t full_records = 10'000;
  constexpr int full_batches = 5;
  std::map<int, std::int64_t> records;  // by the batch's number
  for (const SourceItem& item : index.items)
    if (const int number = batch_number(batch_of(item)); number > 0) ++records[number];
  if (records.empty()) return;
  const auto is_full = [](const auto& batch) { return batch.second == full_records; };
  const bool distributed = std::ranges::any_of(records, is_full);
  const int expected = std::max(distributed ? full_batches : 0, records.rbegin()->first);
  std::vector<std::string> missing;
  for (int number = 1; number <= expected; ++number)
    if (!records.contains(number)) missing.push_back(fmt::format("data_batch_{}.bin", number));
  if (!missing.empty()) fail_incomplete(path, text_list(missing));
  for (const auto& [number, count] : records) {
    if (distributed && count != full_records)
      fail(ExitCode::bad_data,
           "{}: data_batch_{}.bin has {} records instead of {}: download or copy it again", path.string(),
           number, count, full_records);
  }
}

// The folder with the batches, which may be a subfolder.
fs::path batches_folder(const fs::path& folder) {
  return fs::exists(folder / "cifar-10-batches-bin") ? folder / "cifar-10-batches-bin" : folder;
}

}  // namespace

bool is_cifar_folder(const fs::path& folder) {
  const fs::path batches = batches_folder(folder);
  if (fs::exists(batches / "test_batch.bin")) return true;
  for (int number = 1; number <= 5; ++number)
    if (fs::exists(batches / fmt::format("data_batch_{}.bin", number))) return true;
  return false;
}

SourceIndex index_cifar_folder(const fs::path& folder, std::string_view split) {
  const fs::path batches = batches_folder(folder);
  SourceIndex index = empty_index("folder");
  if (!fs::exists(batches / "batches.meta.txt")) fail_incomplete(batches, "batches.meta.txt");
  index.classes =
      parse_meta(read_text(batches / "batches.meta.txt"), (batches / "batches.meta.txt").string());
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(batches))
    if (is_batch_of(entry.path().native(), split)) files.push_back(entry.path());
  if (files.empty()) fail_incomplete(batches, split == "val" ? "test_batch.bin" : "data_batch_1.bin");
  std::ranges::sort(files);
  for (const fs::path& file : files) {
    const std::string bytes = open_regular_file(file).read_to_end();
    const auto number = static_cast<std::uint32_t>(index.files.size());
    index.files.push_back(file.string());
    add_batch(index, file.filename().string(), bytes.size(), number, 0,
              [&](std::uint64_t record) { return static_cast<std::uint8_t>(bytes[record * record_bytes]); });
  }
  require_all_batches(index, batches);
  sort_classes(index);
  return index;
}

bool is_cifar_archive(const ArchiveListing& listing) {
  return std::ranges::any_of(listing.members,
                             [](const ArchiveMember& member) { return is_batch(member.path); });
}

SourceIndex index_cifar_tar(const fs::path& path, const ArchiveListing& listing, std::string_view split) {
  SourceIndex index = empty_index("tar");
  index.files = {path.string()};
  const FileDescriptor file = open_regular_file(path);
  for (const ArchiveMember& member : listing.members) {
    const bool meta = is_meta(member.path);
    if (!meta && !is_batch_of(member.path, split)) continue;
    if (!member.flaw.empty()) fail(ExitCode::bad_data, "{}: {} {}", path.string(), member.path, member.flaw);
    const std::string bytes = file.read_part(member.offset, member.bytes);
    if (meta) {
      index.classes = parse_meta(bytes, member.path);
      continue;
    }
    add_batch(index, std::string(file_name(member.path)), member.bytes, 0, member.offset,
              [&](std::uint64_t record) { return static_cast<std::uint8_t>(bytes[record * record_bytes]); });
  }
  if (index.classes.empty()) fail_incomplete(path, "batches.meta.txt");
  if (index.items.empty()) fail_incomplete(path, split == "val" ? "test_batch.bin" : "data_batch_1.bin");
  require_all_batches(index, path);
  sort_classes(index);
  return index;
}

namespace {

std::vector<UnpackedMember> unpack_batches(const fs::path& path, std::string_view split) {
  auto members = unpack_members(
      path, [&](const std::string& member) { return is_meta(member) || is_batch_of(member, split); });
  std::ranges::sort(members, {}, &UnpackedMember::path);
  return members;
}

}  // namespace

SourceIndex index_cifar_tar_gz(const fs::path& path, std::string_view split) {
  SourceIndex index = empty_index("compressed tar");
  index.files = {path.string()};
  index.storage = SourceStorage::compressed_batches;
  std::uint64_t base = 0;
  for (const UnpackedMember& member : unpack_batches(path, split)) {
    if (is_meta(member.path)) {
      index.classes = parse_meta(
          std::string(reinterpret_cast<const char*>(member.bytes.data()), member.bytes.size()), member.path);
      continue;
    }
    add_batch(
        index, std::string(file_name(member.path)), member.bytes.size(), 0, base,
        [&](std::uint64_t record) { return static_cast<std::uint8_t>(member.bytes[record * record_bytes]); });
    base += member.bytes.size();
  }
  if (index.items.empty() && index.classes.empty()) {
    fail(ExitCode::usage,
         "{} is compressed: unpack it first, for example with gunzip, and pack the resulting tar "
         "(only CIFAR-10's binary tar.gz can be read directly)",
         path.string());
  }
  if (index.classes.empty()) fail_incomplete(path, "batches.meta.txt");
  if (index.items.empty()) fail_incomplete(path, split == "val" ? "test_batch.bin" : "data_batch_1.bin");
  require_all_batches(index, path);
  sort_classes(index);
  return index;
}

std::vector<std::byte> unpack_cifar_tar_gz(const SourceIndex& index) {
  const bool val = !index.items.empty() && index.items.front().name.starts_with("test_batch");
  std::vector<std::byte> records;
  for (const UnpackedMember& member : unpack_batches(index.files.at(0), val ? "val" : "train"))
    if (is_batch(member.path)) records.insert(records.end(), member.bytes.begin(), member.bytes.end());
  return records;
}

}  // namespace convoy
