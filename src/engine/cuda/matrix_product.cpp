#include "engine/cuda/matrix_product.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/error.hpp"
#include "device/cuda/memory.hpp"
#include "engine/cuda/device_bench.hpp"

namespace convoy::cuda {

namespace {

template <typename Value>
void set(const ProductDescriptor& operation, cublasLtMatmulDescAttributes_t attribute, const Value& value) {
  check(cublasLtMatmulDescSetAttribute(operation.get(), attribute, &value, sizeof(value)),
        "an attribute of a product");
}

// A packed row-major matrix: its transpose as cuBLASLt's column-major.
MatrixLayout describe_matrix(Element element, int rows, int columns) {
  cublasLtMatrixLayout_t layout = nullptr;
  check(cublasLtMatrixLayoutCreate(&layout, cublas_type(element), static_cast<std::uint64_t>(columns),
                                   static_cast<std::uint64_t>(rows), columns),
        "a matrix");
  return MatrixLayout(layout);
}

ProductPreference preference(std::uint32_t reductions) {
  cublasLtMatmulPreference_t created = nullptr;
  check(cublasLtMatmulPreferenceCreate(&created), "a preference");
  ProductPreference owner(created);
  const auto set_preference = [&](cublasLtMatmulPreferenceAttributes_t attribute, const auto& value) {
    check(cublasLtMatmulPreferenceSetAttribute(created, attribute, &value, sizeof(value)), "a preference");
  };
  const std::size_t workspace = MatrixProduct::workspace_limit;
  set_preference(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, workspace);
  set_preference(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, reductions);
  // The 16-bit copies of parameters begin at multiples of 64 elements.
  const std::uint32_t alignment = 128;
  set_preference(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignment);
  set_preference(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignment);
  set_preference(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignment);
  set_preference(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignment);
  return owner;
}

std::size_t bytes_of(Element element, int rows, int columns) {
  return static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns) * bytes_of(element);
}

// A product's operands in memory of their own.
class ProductBench final : public LateDeviceBench {
 public:
  ProductBench(cudaStream_t stream, const ProductShape& shape, std::size_t workspace_bytes)
      : stream_(stream), shape_(shape), workspace_bytes_(workspace_bytes) {}

  DeviceMemory left, right, bias, output, workspace;

 private:
  DeviceBench make() override {
    constexpr const char* purpose = "choosing algorithms of matrix products";
    left = DeviceMemory(bytes_of(shape_.operands, shape_.rows, shape_.inner), purpose);
    right = DeviceMemory(bytes_of(shape_.operands, shape_.inner, shape_.columns), purpose);
    bias = DeviceMemory(bytes_of(shape_.result, 1, shape_.columns), purpose);
    output = DeviceMemory(bytes_of(shape_.result, shape_.rows, shape_.columns), purpose);
    workspace = DeviceMemory(workspace_bytes_, purpose);
    return {stream_,
            {{left.data(), left.size(), shape_.operands},
             {right.data(), right.size(), shape_.operands},
             {bias.data(), bias.size(), shape_.result}},
            {output.data(), output.size(), shape_.result}};
  }

  cudaStream_t stream_;
  ProductShape shape_;
  std::size_t workspace_bytes_;
};

std::string key_of(const ProductShape& shape, bool tf32, ProductEpilogue epilogue) {
  const auto name = [](Element element) {
    return element == Element::float32 ? "fp32" : element == Element::bfloat16 ? "bf16" : "fp16";
  };
  return fmt::format("product {}x{} over {}{}{}, {} to {}{}{}", shape.rows, shape.columns, shape.inner,
                     shape.transpose_left ? ", left transposed" : "",
                     shape.transpose_right ? ", right transposed" : "", name(shape.operands),
                     name(shape.result), tf32 ? ", tf32" : "",
                     epilogue == ProductEpilogue::none   ? ""
                     : epilogue == ProductEpilogue::bias ? ", bias"
                                                         : ", bias and ReLU");
}

// By place: for one shape, GPU and version the heuristics' list is the same in every process.
std::string name_of(std::size_t algorithm) {
  return fmt::format("cuBLASLt {}", algorithm + 1);
}

}  // namespace

MatrixProduct::MatrixProduct(const Libraries& libraries, std::string what, const ProductShape& shape,
                             bool tf32, ProductEpilogue epilogue)
    : libraries_(&libraries),
      what_(std::move(what)),
      shape_(shape),
      tf32_(tf32 && shape.operands == Element::float32),
      epilogue_(epilogue) {
  cublasLtMatmulDesc_t operation = nullptr;
  check(cublasLtMatmulDescCreate(&operation, tf32_ ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F,
                                 CUDA_R_32F),
        "a product");
  operation_.reset(operation);
  // In column-major terms: resultᵀ = op(right)ᵀ · op(left)ᵀ, so the right operand comes first.
  set(operation_, CUBLASLT_MATMUL_DESC_TRANSA, shape.transpose_right ? CUBLAS_OP_T : CUBLAS_OP_N);
  set(operation_, CUBLASLT_MATMUL_DESC_TRANSB, shape.transpose_left ? CUBLAS_OP_T : CUBLAS_OP_N);
  const cublasLtEpilogue_t kind = epilogue == ProductEpilogue::none   ? CUBLASLT_EPILOGUE_DEFAULT
                                  : epilogue == ProductEpilogue::bias ? CUBLASLT_EPILOGUE_BIAS
                                                                      : CUBLASLT_EPILOGUE_RELU_BIAS;
  set(operation_, CUBLASLT_MATMUL_DESC_EPILOGUE, kind);
  first_ = shape.transpose_right ? describe_matrix(shape.operands, shape.columns, shape.inner)
                                 : describe_matrix(shape.operands, shape.inner, shape.columns);
  second_ = shape.transpose_left ? describe_matrix(shape.operands, shape.inner, shape.rows)
                                 : describe_matrix(shape.operands, shape.rows, shape.inner);
  result_ = describe_matrix(shape.result, shape.rows, shape.columns);
  list_algorithms();
}

// The library's list, which is ordered by the time that it expects, of those that it says will run.
std::vector<MatrixProduct::Algorithm> MatrixProduct::heuristics(std::uint32_t reductions) const {
  constexpr int most = 8;
  std::vector<Algorithm> list(most);
  int count = 0;
  const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(
      libraries_->cublas(), operation_.get(), first_.get(), second_.get(), result_.get(), result_.get(),
      preference(reductions).get(), most, list.data(), &count);
  if (status == CUBLAS_STATUS_NOT_SUPPORTED) return {};
  check(status, what_.c_str());
  list.resize(static_cast<std::size_t>(count));
  std::erase_if(list, [](const Algorithm& one) { return one.state != CUBLAS_STATUS_SUCCESS; });
  return list;
}

// First the library's own choice, then the others. Sums that are split (split-K) may be added in the result's
// element, which for 16 bits rounds every part: such algorithms are not offered beside the library's choice.
void MatrixProduct::list_algorithms() {
  algorithms_ = heuristics(CUBLASLT_REDUCTION_SCHEME_MASK);
  if (algorithms_.empty()) {
    fail(ExitCode::device, "cuBLASLt has no algorithm for {} ({} × {} over {})", what_, shape_.rows,
         shape_.columns, shape_.inner);
  }
  if (shape_.result == Element::float32) return;
  algorithms_.erase(algorithms_.begin() + 1, algorithms_.end());
  for (const Algorithm& one :
       heuristics(CUBLASLT_REDUCTION_SCHEME_NONE | CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE)) {
    if (std::memcmp(&one.algo, &algorithms_.front().algo, sizeof one.algo) != 0) algorithms_.push_back(one);
  }
}

std::string MatrixProduct::question_key() const {
  return key_of(shape_, tf32_, epilogue_);
}

std::string MatrixProduct::key() const {
  return fmt::format("{} by {}", question_key(), name_of(chosen_));
}

void MatrixProduct::tune(Tuner& tuner, const std::string& what) {
  std::size_t most_workspace = 0;
  for (const Algorithm& one : algorithms_) most_workspace = std::max(most_workspace, one.workspaceSize);
  ProductBench bench(libraries_->stream(), shape_, most_workspace);
  Question question{.what = what,
                    .key = question_key(),
                    .tolerance = result_tolerance(tf32_ ? Precision::tf32 : Precision::fp32, shape_.result),
                    .candidates = {}};
  for (std::size_t i = 0; i < algorithms_.size(); ++i) {
    question.candidates.push_back({.name = name_of(i), .run = [this, &bench, i] {
                                     return run(libraries_->stream(), algorithms_[i], bench.left.data(),
                                                bench.right.data(), bench.bias.data(), bench.output.data(),
                                                false, bench.workspace.data()) == CUBLAS_STATUS_SUCCESS;
                                   }});
  }
  use_algorithm(tuner.choose(question, bench));
}

void MatrixProduct::use_algorithm(std::size_t index) {
  ensure(index < algorithms_.size(), "a product uses an algorithm of its list");
  chosen_ = index;
}

cublasStatus_t MatrixProduct::run(cudaStream_t stream, const Algorithm& algorithm, const void* left,
                                  const void* right, const void* bias, void* result, bool add,
                                  void* workspace) const {
  if (epilogue_ != ProductEpilogue::none) set(operation_, CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
  const float one = 1, beta = add ? 1.0F : 0.0F;
  return cublasLtMatmul(libraries_->cublas(), operation_.get(), &one, right, first_.get(), left,
                        second_.get(), &beta, result, result_.get(), result, result_.get(), &algorithm.algo,
                        workspace, algorithm.workspaceSize, stream);
}

void MatrixProduct::run(const void* left, const void* right, const void* bias, void* result, bool add,
                        void* workspace) const {
  run_on(libraries_->stream(), left, right, bias, result, add, workspace);
}

void MatrixProduct::run_on(cudaStream_t stream, const void* left, const void* right, const void* bias,
                           void* result, bool add, void* workspace) const {
  check(run(stream, algorithms_[chosen_], left, right, bias, result, add, workspace), what_.c_str());
}

}  // namespace convoy::cuda
