#include "report/page/run_pictures.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.hpp"
#include "checkpoint/checkpoint.hpp"
#include "data/resample.hpp"
#include "data/shard_reader.hpp"
#include "picture/filter_grid.hpp"
#include "picture/jpeg.hpp"
#include "picture/picture.hpp"
#include "report/page/data_uri.hpp"

namespace convoy {
namespace {

namespace fs = std::filesystem;

constexpr int small_side = 64;       // images up to here are shown as they are, losslessly
constexpr int thumbnail_side = 112;  // of larger ones
constexpr int jpeg_quality = 78;
constexpr int filter_pixels = 560;  // about the width of the filters' picture

std::string thumbnail_uri(std::span<const std::uint8_t> pixels, int side) {
  const int shown = side <= small_side ? side : thumbnail_side;
  Picture picture(shown, shown);
  const double edge = side;
  resample({.pixels = pixels, .columns = side, .rows = side},
           {.left = 0, .top = 0, .right = edge, .bottom = edge}, shown, shown, picture.pixels.data(),
           static_cast<std::size_t>(shown) * 3);
  return shown == side ? data_uri("image/png", png_bytes(picture))
                       : data_uri("image/jpeg", jpeg_bytes(picture, jpeg_quality));
}

// Names of images by their numbers; each shard's names are read once.
class ImageNames {
 public:
  explicit ImageNames(const ShardReader& reader) : reader_(reader) {}

  std::string of(std::int64_t sample) {
    std::size_t shard = 0;
    for (; sample >= reader_.shards()[shard].images; ++shard) sample -= reader_.shards()[shard].images;
    auto found = names_.find(shard);
    if (found == names_.end()) found = names_.emplace(shard, reader_.names(shard)).first;
    return found->second.at(static_cast<std::size_t>(sample));
  }

 private:
  const ShardReader& reader_;
  std::map<std::size_t, std::vector<std::string>> names_;
};

}  // namespace

std::vector<Thumbnail> make_thumbnails(const Store& store, std::span<const SamplePrediction> predictions) {
  const ShardReader reader(store, "val");
  ImageNames names(reader);
  const std::size_t bytes = static_cast<std::size_t>(store.image_size) * store.image_size * 3;
  std::vector<std::uint8_t> pixels(bytes);
  std::vector<Thumbnail> thumbnails;
  for (const SamplePrediction& one : predictions) {
    std::int32_t label = -1;
    const bool there = one.sample < reader.images();
    if (there) reader.read(std::span(&one.sample, 1), pixels, std::span(&label, 1));
    if (label != one.truth)
      fail(ExitCode::bad_data, "{}: its validation images are not those of the run", store.folder.string());
    thumbnails.push_back({.uri = thumbnail_uri(pixels, store.image_size), .name = names.of(one.sample)});
  }
  return thumbnails;
}

fs::path shown_checkpoint(const fs::path& run) {
  const fs::path folder = run / "checkpoints";
  for (const char* name : {"best", "latest"}) {
    if (fs::path path = linked_checkpoint(folder, name); !path.empty()) return path;
  }
  const std::vector<std::int64_t> steps = list_checkpoints(folder);
  return steps.empty() ? fs::path() : folder / checkpoint_name(steps.back());
}

CheckpointFacts read_checkpoint_facts(const fs::path& path) {
  const CheckpointFile file(path);
  CheckpointFacts facts{.step = file.header().step,
                        .classes = file.header().classes,
                        .filters = {},
                        .count = 0,
                        .magnified = 0};
  const std::optional<StoredTensor> weights = file.read_tensor("/parameters/conv1/weight");
  if (!weights || weights->shape.size() != 4 || weights->shape[1] != 3 || weights->values.empty())
    return facts;
  const std::vector<int>& shape = weights->shape;
  facts.count = shape[0];
  const int columns = std::max(1, static_cast<int>(std::ceil(std::sqrt(shape[0]))));
  facts.magnified = std::clamp(filter_pixels / (columns * (shape[3] + 1)), 1, 12);
  facts.filters = data_uri("image/png", png_bytes(filter_grid({.weights = weights->values,
                                                               .filters = shape[0],
                                                               .channels = shape[1],
                                                               .height = shape[2],
                                                               .width = shape[3]},
                                                              FilterScale::each, facts.magnified)));
  return facts;
}

}  // namespace convoy
