#include "engine/cpu/weight_copies.hpp"

namespace convoy::cpu {

WeightCopy::WeightCopy(Library& library, const memory& canonical, const memory::desc& wanted)
    : canonical_(canonical), values_(canonical) {
  if (canonical.get_desc() == wanted) return;
  storage_ = AlignedBuffer(wanted.get_size());
  values_ = memory(wanted, library.engine, storage_.data());
  const dnnl::reorder::primitive_desc description(library.engine, canonical.get_desc(), library.engine,
                                                  wanted);
  copy_ = Primitive(dnnl::reorder(description), {{DNNL_ARG_FROM, canonical_}, {DNNL_ARG_TO, values_}}, true);
}

void WeightCopy::refresh(Library& library, std::int64_t version) {
  if (!copy_ || copied_version_ == version) return;
  copy_.run(library);
  copied_version_ = version;
}

WeightCopy* WeightCopies::get(Library& library, const memory& canonical, const memory::desc& wanted) {
  for (WeightCopy& copy : copies_) {
    if (copy.canonical_.get_data_handle() == canonical.get_data_handle() &&
        copy.values_.get_desc() == wanted) {
      return &copy;
    }
  }
  return &copies_.emplace_back(library, canonical, wanted);
}

}  // namespace convoy::cpu
