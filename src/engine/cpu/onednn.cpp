#include "engine/cpu/onednn.hpp"

namespace convoy::cpu {

void Primitive::run(Library& library) const {
  const Stopwatch watch;
  checked("a step's primitive", [&] { primitive_.execute(library.stream, arguments_); });
  if (library.measure) {
    (reorder_ ? library.reorder_seconds : library.primitive_seconds) += watch.seconds();
  }
}

memory::desc plain_desc(const memory::dims& dimensions, memory::data_type type) {
  memory::dims strides(dimensions.size(), 1);
  for (std::size_t axis = dimensions.size(); axis-- > 1;) {
    strides[axis - 1] = strides[axis] * dimensions[axis];
  }
  return {dimensions, type, strides};
}

memory::desc any_layout(const memory::dims& dimensions, memory::data_type type) {
  return {dimensions, type, memory::format_tag::any};
}

dnnl::primitive_attr user_scratchpad() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

}  // namespace convoy::cpu
