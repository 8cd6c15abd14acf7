// The CUDA engine's own kernels, as functions that enqueue them: what no library serves. Everything here only
// enqueues on `stream` (so it may be recorded into a graph), allocates nothing, and throws ExitCode::device
// when a launch fails. Sums are taken in an order that depends on shapes alone, never by atomics in
// floating point, so results are the same in every run.
//
// Where a pass has fewer rows than the program's batch, kernels read the number from PassParameters.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

#include "data/batch.hpp"
#include "engine/cuda/map.hpp"
#include "engine/optimizer_table.hpp"

namespace convoy::cuda {

// ---- input_stage.cu: uint8 → the network's input (data/input_arithmetic.hpp). Bytes an image: 3·S² read at
// most (the crop is), 3·C² · element written.
struct InputConstants {
  const float* mean = nullptr;  // device: 3 values, or 3 · side · side
  int stored_side = 0;
  bool mean_image = false;
  float scale[3] = {1, 1, 1};
};
// Where the network's input lies in its map.
struct InputFrame {
  int side = 0;    // of the network's input
  int before = 0;  // rows and columns of zeros before it; the rest of the map is zero too
  // channels_last: 1, 2 or 4. Squares of patch × patch pixels are channels of one: pixel (y, x) is at
  // (y / patch, x / patch), channel ((y % patch) · patch + x % patch) · 3 + colour.
  int patch = 1;
};
// `shape` is that of `output`, with 3 · patch² channels; pixels that it has no room for are left out.
// `output` begins at a multiple of 16 bytes. Rows that are absent become 0; their images are not read.
void input_stage(cudaStream_t stream, const std::uint8_t* images, const SampleTransform* transforms,
                 const InputConstants& constants, const PassParameters* pass, void* output,
                 const MapShape& shape, const InputFrame& frame);

// ---- patch_filter.cu: a filter for an input in patches (engine/input_patches.hpp), and its gradient.
struct PatchFilter {
  int filters = 0, kernel = 0, channels = 0;  // of the layer's own filter, which is KRSC
  int patch = 1;
  int side() const { return (kernel + patch - 1) / patch; }  // of the filter over patches
  // Of that filter: K × side² × (patch² · channels).
  std::int64_t elements() const { return std::int64_t{filters} * side() * side() * patch * patch * channels; }
};
// From the layer's filter to that over patches, with zeros in what the kernel does not reach; of one element.
void to_patches(cudaStream_t stream, const void* filter, Element element, const PatchFilter& shape,
                void* patched);
// The gradient of the layer's filter from that of the filter over patches: stored, or added where `add`.
void from_patches(cudaStream_t stream, const void* patched, Element element, const PatchFilter& shape,
                  float* gradient, bool add);

// ---- padding.cu: copies `input` (of `shape`) into a larger map with `fill` around it, and the gradient (of
// `shape` again) back out of it.
// `fill` is 0 for convolutions, the lowest value for max-pooling.
enum class Fill { zero, lowest };
void pad(cudaStream_t stream, const void* input, const MapShape& shape, int before, int after, Fill fill,
         void* output);
void unpad(cudaStream_t stream, const void* padded, const MapShape& shape, int before, int after,
           void* output);

// ---- dropout.cu: in place; forward on the activation, backward on the gradient, both from the same bits
// (engine/dropout_arithmetic.hpp), so no mask is kept. `number` of the dropout layer in the network; units
// are numbered channel first whatever the layout. Kept units are multiplied by 1 / (1 − p).
void dropout(cudaStream_t stream, void* values, const MapShape& shape, const PassParameters* pass,
             std::uint32_t number, double p);

// ---- bias.cu: map += bias of its channel (of the map's element), then its positive part where `relu`, one
// rounding for both; a NaN stays a NaN. In place.
void add_bias(cudaStream_t stream, void* map, const void* bias, bool relu, const MapShape& shape);

// ---- relu.cu: a NaN stays a NaN; `output` may be `input`.
void relu(cudaStream_t stream, const void* input, void* output, const MapShape& shape);
// gradient ← gradient where activation > 0, else 0; in place.
void relu_backward(cudaStream_t stream, void* gradient, const void* activation, const MapShape& shape);
// The same (when `activation` is not null; else the gradient stays) and in the same pass the sum of the
// result over all rows and places of each channel: bias[c] = or += (`add`). With an activation the gradient
// is multiplied by `factor` and rounded before it is summed. `scratch`: bias_scratch_bytes(shape).
std::size_t bias_scratch_bytes(const MapShape& shape);
void relu_backward_bias(cudaStream_t stream, void* gradient, const void* activation, const MapShape& shape,
                        float* bias, bool add, void* scratch, float factor = 1);

// ---- normalisation.cu: LRN across channels, b = a / (k + α/size · Σ a²)^β, channels_last only (cuDNN serves
// channels_first). Backward needs the input alone: it computes the sums again.
struct NormalisationConstants {
  int size = 5;
  float k = 1, alpha = 1e-4F, beta = 0.75F;
};
void normalisation_forward(cudaStream_t stream, const void* input, void* output, const MapShape& shape,
                           const NormalisationConstants& constants);
void normalisation_backward(cudaStream_t stream, const void* input, const void* output_gradient,
                            void* input_gradient, const MapShape& shape,
                            const NormalisationConstants& constants);

// ---- adaptive_pool.cu: AdaptiveAveragePool of model/net_spec.hpp; both layouts.
void adaptive_pool_forward(cudaStream_t stream, const void* input, const MapShape& input_shape, void* output,
                           int output_side);
void adaptive_pool_backward(cudaStream_t stream, const void* output_gradient, const MapShape& input_shape,
                            void* input_gradient, int output_side);

// ---- loss.cu (engine/loss_arithmetic.hpp). Scores: rows × classes float32. Labels outside the classes make
// the loss NaN (the loader has checked them). Adds the sums of the rows that are there to `sums`, in row
// order. `row_losses`: rows of scratch (double loss, int32 rank). Where `gradient` says so, in the same pass
// the scores' gradient: (p − truth) · gradient_scale · loss scale; absent rows 0.
struct DeviceRowLoss {
  double loss;
  std::int32_t rank;
  std::int32_t reserved;
};
struct LossGradient {
  void* values = nullptr;  // batch × classes of `element`; null: not wanted
  Element element = Element::float32;
  const LossScaleState* loss_scale = nullptr;
};
void loss(cudaStream_t stream, const float* scores, const std::int32_t* labels, int batch, int classes,
          const PassParameters* pass, float* probabilities, DeviceRowLoss* row_losses, MetricSums* sums,
          const LossGradient& gradient);

// ---- inspect.cu: Σ g² over [begin, end) of the flat gradient, in double; block sums are kept at places that
// depend on the range alone (`begin` a multiple of 4): `block_sums` has inspection_blocks(size) doubles,
// zeroed by finish_inspection.
std::size_t inspection_blocks(std::size_t elements);
void inspect(cudaStream_t stream, const float* gradients, std::size_t begin, std::size_t end,
             double* block_sums);
// Takes the block sums, of inspect() or of update(): writes record (page-locked; index = update->ring_place)
// from sums, squares and the loss scale; says in `control` whether an update behind it may happen and by what
// gradients are multiplied; moves the loss scale on; empties `sums`, the block sums and the mark of unsound
// weights. `updated`: the update has taken place, so its unsound weights are those of the next record.
struct UpdateControl {  // device memory
  std::int32_t apply = 1;
  float inverse_loss_scale = 1;
  std::int32_t unsound_weights = 0;  // 1: set by update() for weights that are not is_sound()
  std::int32_t recount = 0;          // 1: updates were skipped, so that Adam's corrections are other ones:
  double power1 = 0, power2 = 0;     // β1^t and β2^t, t the number of updates that were made, this one too
  std::int32_t unsound_before = 0;   // 1: an update made unsound weights, and the next record says so
};
struct UpdateParameters {  // device memory, written by a copy before the step
  std::int32_t ring_place = 0;
  float inverse_loss_scale = 1;  // UpdateStep's own
  std::int64_t number = 1;       // the same
  double beta1 = 0, beta2 = 0;   // of the optimiser
};
void finish_inspection(cudaStream_t stream, double* block_sums, std::size_t blocks, MetricSums* sums,
                       LossScaleState* loss_scale, const UpdateParameters* update, UpdateControl* control,
                       DeviceStepResult* ring, bool updated);

// ---- update.cu (engine/optimizer_table.hpp): one pass over the flat buffers.
struct UpdatePiece {  // of one tensor: elements [begin, end) of the flat buffers; multiples of 4 but for its
                      // end
  std::uint64_t begin = 0, end = 0;
  std::int32_t tensor = 0, reserved = 0;
};
struct UpdateArrays {
  float* parameters = nullptr;
  const float* gradients = nullptr;
  float* slots[most_slots] = {};  // as many as the optimiser has
  void* copy = nullptr;           // 16-bit copy of the parameters, written in the same pass; may be null
  Element copy_element = Element::bfloat16;
};
// `constants`: one for each tensor, device memory. `squares` null: as `control` says, whose
// inverse_loss_scale replaces the constants' own. Otherwise in any case, and Σ g² of each piece is written
// there, in double: these are the same bits however the pieces are spread over calls.
void update(cudaStream_t stream, OptimizerRule rule, const UpdatePiece* pieces, int count,
            const UpdateConstants* constants, UpdateControl* control, const UpdateArrays& arrays,
            double* squares = nullptr);

// ---- convert.cu: elements between float32 and a 16-bit format.
void to_narrow(cudaStream_t stream, const float* input, void* output, Element element, std::size_t count);
// sum[i] = or += (`add`) float(input[i]).
void from_narrow(cudaStream_t stream, const void* input, Element element, float* output, bool add,
                 std::size_t count);

// ---- filter_groups.cu: filters of a grouped convolution among zeros, as those of an ungrouped one, and
// back.
struct FilterGroups {
  int filters = 0, groups = 1;  // filters of all groups
  // Of each filter: runs of `run_length` elements of its group's channels, which lie behind each other (KCRS:
  // one run, of all places; KRSC: one at each place).
  int runs = 1, run_length = 0;
};
// `dense` has `groups` times as many elements, at a multiple of 16 bytes.
void expand_filter(cudaStream_t stream, const void* filter, const FilterGroups& groups, Element element,
                   void* dense);
// gradient = or += (`add`) the elements of `dense` that expand_filter() would not set to zero.
void gather_filter(cudaStream_t stream, const void* dense, const FilterGroups& groups, Element element,
                   bool add, float* gradient);

}  // namespace convoy::cuda
