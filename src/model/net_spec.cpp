#include "model/net_spec.hpp"

#include <cstddef>

#include "base/error.hpp"

namespace convoy {
namespace {

// Applies one layer to the shape `in`; `where` names the layer in messages.
struct OutputShape {
  const NetSpec& spec;
  std::size_t index;
  Shape in;

  std::string where(const std::string& what) const {
    return fmt::format("{} at layer {} of {}", what, index, spec.name);
  }

  // ⌊(side + before + after − window) / stride⌋ + 1; an error if not even one window fits.
  int windows(int side, int window, int stride, Padding padding, const std::string& what) const {
    const int room = side + padding.before + padding.after - window;
    if (window < 1 || stride < 1 || padding.before < 0 || padding.after < 0) {
      fail(ExitCode::usage, "{}: window {}, stride {}, padding {} and {} are invalid", where(what), window,
           stride, padding.before, padding.after);
    }
    if (room < 0) {
      fail(ExitCode::usage,
           "{}: a window of {} does not fit into its input of side {} (network input {}×{}); use a larger "
           "input",
           where(what), window, side, spec.input.height, spec.input.width);
    }
    return room / stride + 1;
  }

  Shape operator()(const Convolution& c) const {
    if (c.filters < 1 || c.groups < 1 || in.channels % c.groups != 0 || c.filters % c.groups != 0) {
      fail(ExitCode::usage, "{}: {} channels and {} filters do not divide into {} groups", where(c.name),
           in.channels, c.filters, c.groups);
    }
    return {c.filters, windows(in.height, c.kernel, c.stride, c.padding, c.name),
            windows(in.width, c.kernel, c.stride, c.padding, c.name)};
  }
  Shape operator()(const Relu&) const { return in; }
  Shape operator()(const LocalResponseNormalisation& n) const {
    if (n.size < 1 || n.size % 2 == 0) {
      fail(ExitCode::usage, "{}: size {} is not odd", where("local response normalisation"), n.size);
    }
    return in;
  }
  Shape operator()(const MaxPool& p) const {
    // A window that contains only padding would have no maximum.
    if (p.padding.before >= p.window || p.padding.after >= p.window) {
      fail(ExitCode::usage, "{}: padding {} and {} is not smaller than the window {}", where("max-pool"),
           p.padding.before, p.padding.after, p.window);
    }
    return {in.channels, windows(in.height, p.window, p.stride, p.padding, "max-pool"),
            windows(in.width, p.window, p.stride, p.padding, "max-pool")};
  }
  Shape operator()(const AdaptiveAveragePool& p) const {
    if (p.output < 1) fail(ExitCode::usage, "{}: output {}", where("adaptive average pool"), p.output);
    return {in.channels, p.output, p.output};
  }
  Shape operator()(const FullyConnected& f) const {
    if (f.outputs < 1) fail(ExitCode::usage, "{}: {} outputs", where(f.name), f.outputs);
    return {f.outputs, 1, 1};
  }
  Shape operator()(const Dropout& d) const {
    if (!(d.p >= 0 && d.p < 1)) {
      fail(ExitCode::usage, "{}: probability {} is not in [0, 1)", where("dropout"), d.p);
    }
    return in;
  }
};

}  // namespace

std::vector<Shape> infer_shapes(const NetSpec& spec) {
  if (spec.input.channels < 1 || spec.input.height < 1 || spec.input.width < 1) {
    fail(ExitCode::usage, "{}: input {}×{}×{} is empty", spec.name, spec.input.channels, spec.input.height,
         spec.input.width);
  }
  std::vector<Shape> shapes;
  shapes.reserve(spec.layers.size());
  Shape shape = spec.input;
  for (std::size_t i = 0; i < spec.layers.size(); ++i) {
    shape = std::visit(OutputShape{spec, i, shape}, spec.layers[i]);
    shapes.push_back(shape);
  }
  return shapes;
}

long long multiply_accumulates(const NetSpec& spec) {
  const std::vector<Shape> shapes = infer_shapes(spec);
  long long total = 0;
  Shape in = spec.input;
  for (std::size_t i = 0; i < spec.layers.size(); ++i) {
    if (const auto* c = std::get_if<Convolution>(&spec.layers[i])) {
      total += shapes[i].elements() * (in.channels / c->groups) * c->kernel * c->kernel;
    } else if (std::holds_alternative<FullyConnected>(spec.layers[i])) {
      total += shapes[i].elements() * in.elements();
    }
    in = shapes[i];
  }
  return total;
}

int class_count(const NetSpec& spec) {
  for (auto layer = spec.layers.rbegin(); layer != spec.layers.rend(); ++layer) {
    if (const auto* f = std::get_if<FullyConnected>(&*layer)) return f->outputs;
  }
  fail(ExitCode::usage, "{} has no fully connected layer, so no classes", spec.name);
}

}  // namespace convoy
