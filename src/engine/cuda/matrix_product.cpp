#include "engine/cuda/matrix_product.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.hpp"

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

ProductPreference preference() {
  cublasLtMatmulPreference_t created = nullptr;
  check(cublasLtMatmulPreferenceCreate(&created), "a preference");
  ProductPreference owner(created);
  const auto set_preference = [&](cublasLtMatmulPreferenceAttributes_t attribute, const auto& value) {
    check(cublasLtMatmulPreferenceSetAttribute(created, attribute, &value, sizeof(value)), "a preference");
  };
  const std::size_t workspace = MatrixProduct::workspace_limit;
  set_preference(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, workspace);
  // The 16-bit copies of parameters begin at multiples of 64 elements.
  const std::uint32_t alignment = 128;
  set_preference(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignment);
  set_preference(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignment);
  set_preference(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignment);
  set_preference(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignment);
  return owner;
}

}  // namespace

MatrixProduct::MatrixProduct(const Libraries& libraries, std::string what, const ProductShape& shape,
                             bool tf32, ProductEpilogue epilogue)
    : libraries_(&libraries), what_(std::move(what)), epilogue_(epilogue) {
  const bool fast = tf32 && shape.operands == Element::float32;
  cublasLtMatmulDesc_t operation = nullptr;
  check(cublasLtMatmulDescCreate(&operation, fast ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F,
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
  choose(shape);
}

// The first of the library's list, which is ordered by the time that it expects, that it says will run.
void MatrixProduct::choose(const ProductShape& shape) {
  std::array<cublasLtMatmulHeuristicResult_t, 8> list = {};
  int count = 0;
  const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(
      libraries_->cublas(), operation_.get(), first_.get(), second_.get(), result_.get(), result_.get(),
      preference().get(), static_cast<int>(list.size()), list.data(), &count);
  const auto end = list.begin() + (status == CUBLAS_STATUS_SUCCESS ? count : 0);
  const auto found = std::find_if(list.begin(), end, [](const cublasLtMatmulHeuristicResult_t& one) {
    return one.state == CUBLAS_STATUS_SUCCESS;
  });
  if (found == end && (status == CUBLAS_STATUS_SUCCESS || status == CUBLAS_STATUS_NOT_SUPPORTED)) {
    fail(ExitCode::device, "cuBLASLt has no algorithm for {} ({} × {} over {})", what_, shape.rows,
         shape.columns, shape.inner);
  }
  check(status, what_.c_str());
  algorithm_ = found->algo;
  workspace_bytes_ = found->workspaceSize;
}

void MatrixProduct::run(const void* left, const void* right, const void* bias, void* result, bool add,
                        void* workspace) const {
  if (epilogue_ != ProductEpilogue::none) set(operation_, CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
  const float one = 1, beta = add ? 1.0F : 0.0F;
  check(cublasLtMatmul(libraries_->cublas(), operation_.get(), &one, right, first_.get(), left, second_.get(),
                       &beta, result, result_.get(), result, result_.get(), &algorithm_, workspace,
                       workspace_bytes_, libraries_->stream()),
        what_.c_str());
}

}  // namespace convoy::cuda
