// The one door to oneDNN: the library's types, what every call needs (engine, stream, clock), and a primitive
// bound to its arguments. Included by the files of this folder only; what differs between versions of the
// library is in onednn_versions.hpp.
#pragma once

#include <cstddef>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "engine/cpu/onednn_versions.hpp"

namespace convoy::cpu {

// Engine and stream of one replica, and what measuring adds up.
struct Library {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  bool measure = false;
  double primitive_seconds = 0;  // computing primitives
  double reorder_seconds = 0;    // changes of layout or element type
};

// Runs `call`, turning oneDNN's exception into ours: "what" names the operation and its layer.
template <typename Call>
auto checked(const char* what, Call&& call) {
  try {
    return std::forward<Call>(call)();
  } catch (const dnnl::error& error) {
    fail(ExitCode::device, "oneDNN cannot do {}: {} (status {})", what, error.what(),
         static_cast<int>(error.status));
  }
}

// One library call with its arguments bound.
class Primitive {
 public:
  Primitive() = default;
  Primitive(dnnl::primitive primitive, std::unordered_map<int, memory> arguments, bool reorder = false)
      : primitive_(std::move(primitive)), arguments_(std::move(arguments)), reorder_(reorder) {}

  explicit operator bool() const { return primitive_.get(true) != nullptr; }
  void run(Library& library) const;

 private:
  dnnl::primitive primitive_;
  std::unordered_map<int, memory> arguments_;
  bool reorder_ = false;
};

// Row-major description of `dimensions`.
memory::desc plain_desc(const memory::dims& dimensions, memory::data_type type);

// The same dimensions with the layout left to a primitive.
memory::desc any_layout(const memory::dims& dimensions, memory::data_type type);

// Attributes of every primitive: scratch memory is ours.
dnnl::primitive_attr user_scratchpad();

}  // namespace convoy::cpu
