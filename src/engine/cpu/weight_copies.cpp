#include "engine/cpu/weight_copies.hpp"

namespace convoy::cpu {

WeightCopy::WeightCopy(Library& library, const memory& canonical, const memory::desc& wanted, Backing backing)
    : canonical_(canonical), values_(canonical) {
  copy_from(library, canonical, wanted, backing);
}

WeightCopy::WeightCopy(Library& library, const memory& canonical, const memory::desc& wanted,
                       const PatchFilter& filter, Backing backing)
    : canonical_(canonical),
      filter_(filter),
      patched_(static_cast<std::size_t>(filter.patched_elements()) * sizeof(float), backing) {
  values_ = memory(plain_desc(dims_of(wanted), memory::data_type::f32), library.engine, patched_.data());
  copy_from(library, values_, wanted, backing);  // a copy of the handle: values_ may become the copy's
}

void WeightCopy::copy_from(Library& library, memory source, const memory::desc& wanted, Backing backing) {
  if (source.get_desc() == wanted) return;
  storage_ = AlignedBuffer(wanted.get_size(), backing);
  values_ = memory(wanted, library.engine, storage_.data());
  const dnnl::reorder::primitive_desc description(library.engine, source.get_desc(), library.engine, wanted);
  copy_ = Primitive(dnnl::reorder(description), {{DNNL_ARG_FROM, source}, {DNNL_ARG_TO, values_}}, true);
}

void WeightCopy::refresh(Library& library, std::int64_t version) {
  const bool spread = filter_.patch > 1;
  if ((!copy_ && !spread) || copied_version_ == version) return;
  if (spread)
    to_patches(filter_, static_cast<const float*>(canonical_.get_data_handle()), patched_.as<float>().data());
  if (copy_) copy_.run(library);
  copied_version_ = version;
}

WeightCopy* WeightCopies::find(const memory& canonical, const memory::desc& wanted,
                               const PatchFilter& filter) {
  for (WeightCopy& copy : copies_) {
    if (copy.canonical_.get_data_handle() == canonical.get_data_handle() &&
        copy.values_.get_desc() == wanted && copy.filter_ == filter) {
      return &copy;
    }
  }
  return nullptr;
}

WeightCopy* WeightCopies::get(Library& library, const memory& canonical, const memory::desc& wanted) {
  if (WeightCopy* const known = find(canonical, wanted, {})) return known;
  return &copies_.emplace_back(library, canonical, wanted, backing_);
}

WeightCopy* WeightCopies::get(Library& library, const memory& canonical, const memory::desc& wanted,
                              const PatchFilter& filter) {
  if (WeightCopy* const known = find(canonical, wanted, filter)) return known;
  return &copies_.emplace_back(library, canonical, wanted, filter, backing_);
}

std::size_t WeightCopies::bytes() const {
  std::size_t total = 0;
  for (const WeightCopy& copy : copies_) total += copy.bytes();
  return total;
}

}  // namespace convoy::cpu
