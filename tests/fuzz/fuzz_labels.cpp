// Labels and classes from a stranger: an ILSVRC2012 development kit (a tar.gz, or, if the input begins with
// "MATLAB", its meta.mat alone), or a list, which is read in all of its meanings.

#include "data/image_files.hpp"
#include "fuzz/fuzz_target.hpp"
#include "sources/class_list.hpp"
#include "sources/imagenet_devkit.hpp"
#include "sources/label_list.hpp"

namespace convoy::fuzz {

namespace {

SourceIndex small_index() {
  SourceIndex index;
  for (const char* name : {"val/a_00000001.JPEG", "val/a_00000002.JPEG", "val/b_00000003.JPEG"}) {
    SourceItem item;
    item.name = name;
    index.items.push_back(item);
  }
  return index;
}

void read_list(const std::filesystem::path& path) {
  const std::vector<std::string> ids{"n01440764", "n01443537"};
  for (const auto& known : {std::vector<std::string>{}, ids}) {
    attempt([&] {
      SourceIndex index = small_index();
      apply_labels(index, path, known);
    });
  }
  attempt([&] { name_classes(ids, read_class_names(path, ids)); });
  attempt([&] { read_class_list(path); });
  attempt([&] { read_output_classes(path); });
}

}  // namespace

std::vector<Seed> seeds() {
  const std::string meta =
      test::meta_mat_bytes({{2, "n01440764", "tench, Tinca tinca"}, {1, "n01443537", "goldfish"}});
  const std::string truth = "1\n2\n1\n";
  return {{"meta", meta},
          {"kit", test::tar_bytes({{"kit/data/meta.mat", meta},
                                   {"kit/data/ILSVRC2012_validation_ground_truth.txt", truth}},
                                  true)},
          {"numbers", truth},
          {"caffe", "a_00000001.JPEG 0\na_00000002.JPEG 1\nb_00000003.JPEG 0\n"},
          {"csv",
           "image,label\n\"val/a_00000001.JPEG\",n01440764\nval/a_00000002.JPEG,n01443537\n"
           "val/b_00000003.JPEG,n01440764\n"},
          {"tabs", "a_00000001\tn01440764\t1 2 3 4\na_00000002\tn01443537\t1\nb_00000003\tn01443537\t2\n"},
          {"ids", "n01440764\nn01443537\nn01440764\n"},
          {"names", "n01440764 tench, Tinca tinca\nn01443537 goldfish\n"},
          {"columns", "id;words\nn01440764;tench\nn01443537;goldfish\n"}};
}

void read_input(std::string_view bytes) {
  if (!bytes.starts_with("MATLAB")) return read_list(file_of(bytes));
  write_part("meta.mat", bytes);
  attempt([&] { read_devkit(folder()); });
}

}  // namespace convoy::fuzz
