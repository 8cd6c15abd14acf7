// A network as plain data: an input size and a list of layers. Engines compile it, `convoy models` prints it,
// shape inference and parameter tables are computed from it. Nothing here knows a device.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "base/words.hpp"

namespace convoy {

// Channels × height × width of one sample's activation.
struct Shape {
  int channels = 0, height = 0, width = 0;
  long long elements() const { return 1LL * channels * height * width; }
  friend bool operator==(const Shape&, const Shape&) = default;
};

// Zeros (for max-pooling: minus infinity) around the map, the same in both axes.
struct Padding {
  int before = 0, after = 0;
  friend bool operator==(const Padding&, const Padding&) = default;
};

// `filters` filters of kernel × kernel over groups of the input's channels, with bias. Output side:
// ⌊(side + before + after − kernel) / stride⌋ + 1.
struct Convolution {
  std::string name;
  int filters = 0, kernel = 0, stride = 1;
  Padding padding;
  int groups = 1;
};

struct Relu {};

// b = a / (k + α/size · Σ a²)^β over `size` neighbouring channels (the convention of cuDNN, oneDNN, Caffe,
// PyTorch).
struct LocalResponseNormalisation {
  int size = 5;
  float k = 1, alpha = 1e-4F, beta = 0.75F;
};

struct MaxPool {
  int window = 3, stride = 2;
  Padding padding;
};

// Average pooling onto output × output with the windows [⌊i·n/o⌋, ⌈(i+1)·n/o⌉); the identity where n = o.
struct AdaptiveAveragePool {
  int output = 6;
};

// Flattens its input (channel first) and has a bias.
struct FullyConnected {
  std::string name;
  int outputs = 0;
};

// Drops each unit with probability p and scales the others by 1/(1−p), in training only. Dropout layers are
// numbered 0, 1, … in network order for the random counter.
struct Dropout {
  double p = 0.5;
};

using Layer = std::variant<Convolution, Relu, LocalResponseNormalisation, MaxPool, AdaptiveAveragePool,
                           FullyConnected, Dropout>;

enum class Initialiser { paper, caffe, torch, keras };

inline Words<Initialiser> initialiser_words() {
  return {{"paper", Initialiser::paper},
          {"caffe", Initialiser::caffe},
          {"torch", Initialiser::torch},
          {"keras", Initialiser::keras}};
}

// The last layer's outputs are class scores; softmax and cross-entropy belong to every network and are not
// listed.
struct NetSpec {
  std::string name;
  std::string description;      // one line for `convoy models`
  Shape input;                  // what the network sees after cropping
  int stored_side = 256;        // side of the stored images its recipes use
  bool any_input_size = false;  // whether other input sides than input.height are accepted
  Initialiser initialiser = Initialiser::torch;
  std::vector<Layer> layers;
};

// Shape after each layer (result[i] belongs to layers[i]). Throws ExitCode::usage naming the layer that does
// not fit.
std::vector<Shape> infer_shapes(const NetSpec& spec);

// Multiply-accumulates of one image's forward pass: convolutions and fully connected layers.
long long multiply_accumulates(const NetSpec& spec);

// Number of classes: outputs of the last fully connected layer.
int class_count(const NetSpec& spec);

}  // namespace convoy
