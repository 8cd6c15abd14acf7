// CIFAR-10 from a stranger: a tar or tar.gz of its batches, or, if the input begins with "folder" and a zero
// byte, batches.meta.txt, a zero byte and a batch in a folder. The sums of a tar's headers are corrected.

#include "data/image_files.hpp"
#include "fuzz/fuzz_target.hpp"
#include "sources/source.hpp"

namespace convoy::fuzz {

namespace {

constexpr std::string_view folder_mark = "folder";
constexpr std::string_view class_names =
    "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n";
constexpr int side = 32;

std::string batch(int records) {
  std::string bytes;
  for (int i = 0; i < records; ++i)
    bytes += std::string(1, static_cast<char>(i % 10)) + std::string(3072, static_cast<char>(40 * i));
  return bytes;
}

void read_source(const std::filesystem::path& path, std::string_view split) {
  const SourceIndex index = index_source(path, split, 1);
  const SourceReader reader(index);
  std::vector<std::uint8_t> square(std::size_t{3} * side * side);
  for (std::size_t i = 0; i < std::min<std::size_t>(4, index.items.size()); ++i)
    attempt([&] { reader.read_square(index.items[i], side, square); });
}

}  // namespace

std::vector<Seed> seeds() {
  const std::string meta(class_names);
  const test::Members members{{"cifar-10-batches-bin/batches.meta.txt", meta},
                              {"cifar-10-batches-bin/data_batch_1.bin", batch(2)},
                              {"cifar-10-batches-bin/test_batch.bin", batch(1)}};
  return {{"tar", test::tar_bytes(members)},
          {"tar-gz", test::tar_bytes(members, true)},
          {"folder", std::string(folder_mark) + '\0' + meta + '\0' + batch(2)}};
}

void read_input(std::string_view bytes) {
  std::string_view rest = bytes;
  std::filesystem::path path;
  if (take_text(rest) == folder_mark) {
    write_part("batches.meta.txt", take_text(rest));
    write_part("data_batch_1.bin", rest);
    path = folder();
  } else {
    path = file_of(with_tar_sums(bytes));
  }
  for (const char* split : {"train", "val"}) attempt([&] { read_source(path, split); });
}

}  // namespace convoy::fuzz
