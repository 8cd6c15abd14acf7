// What differs between the interfaces of oneDNN 2 (2.6 and later) and oneDNN 3, and nothing else: how a
// primitive is described, and what a memory description answers. Included by onednn.hpp; no other file looks
// at the library's version.
#pragma once

#include <dnnl.hpp>
#include <utility>

namespace convoy::cpu {

using dnnl::memory;

#if DNNL_VERSION_MAJOR >= 3

using PoolingForward = dnnl::pooling_forward;
using PoolingBackward = dnnl::pooling_backward;

// The description of a `Kind` of primitive. `parts` are oneDNN 3's, in its order.
template <typename Kind, typename... Parts>
typename Kind::primitive_desc describe(const dnnl::engine& engine, const dnnl::primitive_attr& attributes,
                                       const Parts&... parts) {
  return {engine, parts..., attributes};
}

// The same of a primitive of the backward pass; `forward` describes that of the forward pass.
template <typename Kind, typename Forward, typename... Parts>
typename Kind::primitive_desc describe_backward(const dnnl::engine& engine,
                                                const dnnl::primitive_attr& attributes,
                                                const Forward& forward, const Parts&... parts) {
  return {engine, parts..., forward, attributes};
}

inline auto describe_eltwise(const dnnl::engine& engine, const dnnl::primitive_attr& attributes,
                             dnnl::algorithm algorithm, const memory::desc& values) {
  return describe<dnnl::eltwise_forward>(engine, attributes, dnnl::prop_kind::forward_training, algorithm,
                                         values, values, 0.0F, 0.0F);
}

inline auto describe_eltwise_backward(const dnnl::engine& engine, const dnnl::primitive_attr& attributes,
                                      const dnnl::eltwise_forward::primitive_desc& forward,
                                      dnnl::algorithm algorithm, const memory::desc& gradient,
                                      const memory::desc& values) {
  return describe_backward<dnnl::eltwise_backward>(engine, attributes, forward, algorithm, gradient, gradient,
                                                   values, 0.0F, 0.0F);
}

template <typename... Parts>
auto describe_normalisation(const dnnl::engine& engine, const dnnl::primitive_attr& attributes,
                            dnnl::prop_kind kind, const memory::desc& input, const Parts&... parts) {
  return describe<dnnl::lrn_forward>(engine, attributes, kind, dnnl::algorithm::lrn_across_channels, input,
                                     input, parts...);
}

template <typename... Parts>
auto describe_normalisation_backward(const dnnl::engine& engine, const dnnl::primitive_attr& attributes,
                                     const dnnl::lrn_forward::primitive_desc& forward,
                                     const memory::desc& input, const memory::desc& gradient,
                                     const Parts&... parts) {
  return describe_backward<dnnl::lrn_backward>(
      engine, attributes, forward, dnnl::algorithm::lrn_across_channels, gradient, gradient, input, parts...);
}

inline void append_relu(dnnl::post_ops& operations) {
  operations.append_eltwise(dnnl::algorithm::eltwise_relu, 0.0F, 0.0F);
}

inline memory::data_type data_type_of(const memory::desc& desc) {
  return desc.get_data_type();
}
inline memory::dims dims_of(const memory::desc& desc) {
  return desc.get_dims();
}
inline memory::dims strides_of(const memory::desc& desc) {
  return desc.get_strides();
}
inline bool is_strided(const memory::desc& desc) {
  return desc.get_format_kind() == memory::format_kind::blocked && desc.get_inner_nblks() == 0;
}
// Neighbouring channels that lie side by side in blocks: 1 in a strided layout, 0 in any other.
inline memory::dim channel_block_of(const memory::desc& desc) {
  if (is_strided(desc)) return 1;
  if (desc.get_format_kind() != memory::format_kind::blocked || desc.get_inner_nblks() != 1) return 0;
  return desc.get_inner_idxs()[0] == 1 ? desc.get_inner_blks()[0] : 0;
}

#else

using PoolingForward = dnnl::pooling_v2_forward;
using PoolingBackward = dnnl::pooling_v2_backward;

template <typename Kind, typename... Parts>
typename Kind::primitive_desc describe(const dnnl::engine& engine, const dnnl::primitive_attr& attributes,
                                       const Parts&... parts) {
  return {typename Kind::desc(parts...), attributes, engine};
}

template <typename Kind, typename Forward, typename... Parts>
typename Kind::primitive_desc describe_backward(const dnnl::engine& engine,
                                                const dnnl::primitive_attr& attributes,
                                                const Forward& forward, const Parts&... parts) {
  return {typename Kind::desc(parts...), attributes, engine, forward};
}

inline auto describe_eltwise(const dnnl::engine& engine, const dnnl::primitive_attr& attributes,
                             dnnl::algorithm algorithm, const memory::desc& values) {
  return describe<dnnl::eltwise_forward>(engine, attributes, dnnl::prop_kind::forward_training, algorithm,
                                         values, 0.0F, 0.0F);
}

inline auto describe_eltwise_backward(const dnnl::engine& engine, const dnnl::primitive_attr& attributes,
                                      const dnnl::eltwise_forward::primitive_desc& forward,
                                      dnnl::algorithm algorithm, const memory::desc& gradient,
                                      const memory::desc& values) {
  return describe_backward<dnnl::eltwise_backward>(engine, attributes, forward, algorithm, gradient, values,
                                                   0.0F, 0.0F);
}

template <typename... Parts>
auto describe_normalisation(const dnnl::engine& engine, const dnnl::primitive_attr& attributes,
                            dnnl::prop_kind kind, const memory::desc& input, const Parts&... parts) {
  return describe<dnnl::lrn_forward>(engine, attributes, kind, dnnl::algorithm::lrn_across_channels, input,
                                     parts...);
}

template <typename... Parts>
auto describe_normalisation_backward(const dnnl::engine& engine, const dnnl::primitive_attr& attributes,
                                     const dnnl::lrn_forward::primitive_desc& forward,
                                     const memory::desc& input, const memory::desc& gradient,
                                     const Parts&... parts) {
  return describe_backward<dnnl::lrn_backward>(
      engine, attributes, forward, dnnl::algorithm::lrn_across_channels, input, gradient, parts...);
}

inline void append_relu(dnnl::post_ops& operations) {
  operations.append_eltwise(1.0F, dnnl::algorithm::eltwise_relu, 0.0F, 0.0F);
}

inline memory::data_type data_type_of(const memory::desc& desc) {
  return desc.data_type();
}
inline memory::dims dims_of(const memory::desc& desc) {
  return desc.dims();
}
inline memory::dims strides_of(const memory::desc& desc) {
  const auto& strides = desc.data.format_desc.blocking.strides;
  return {strides, strides + desc.data.ndims};
}
inline bool is_strided(const memory::desc& desc) {
  return desc.data.format_kind == dnnl_blocked && desc.data.format_desc.blocking.inner_nblks == 0;
}
inline memory::dim channel_block_of(const memory::desc& desc) {
  if (is_strided(desc)) return 1;
  const auto& blocking = desc.data.format_desc.blocking;
  if (desc.data.format_kind != dnnl_blocked || blocking.inner_nblks != 1) return 0;
  return blocking.inner_idxs[0] == 1 ? blocking.inner_blks[0] : 0;
}

#endif

}  // namespace convoy::cpu
