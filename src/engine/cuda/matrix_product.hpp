// Products of row-major matrices by cuBLASLt, as fully connected layers need them. Used by
// fully_connected.cpp.
#pragma once

#include <string>

#include "engine/cuda/libraries.hpp"

namespace convoy::cuda {

// result (rows × columns) = op(left) · op(right), summed over `inner`; all packed, row-major. Where
// `transpose_left`, `left` is stored inner × rows; where `transpose_right`, `right` is stored columns ×
// inner.
struct ProductShape {
  int rows = 0, columns = 0, inner = 0;
  bool transpose_left = false, transpose_right = false;
  Element operands = Element::float32, result = Element::float32;
};

enum class ProductEpilogue { none, bias, bias_relu };  // a bias a column, of the result's element

class MatrixProduct {
 public:
  // Bytes of workspace that an algorithm may use at most.
  static constexpr std::size_t workspace_limit = std::size_t{32} << 20;

  MatrixProduct() = default;
  // Chooses an algorithm by cuBLASLt's heuristics: deterministic, the same for the same shape and GPU.
  // Float32 operands are multiplied as float32, in tf32 where `tf32`; 16-bit ones with float32 sums. `what`
  // stands in errors.
  MatrixProduct(const Libraries& libraries, std::string what, const ProductShape& shape, bool tf32,
                ProductEpilogue epilogue = ProductEpilogue::none);

  // Bytes of workspace that the chosen algorithm uses.
  std::size_t workspace_bytes() const { return workspace_bytes_; }

  // Enqueues it; `add`: result += …, with ProductEpilogue::none. `bias` may be null there.
  void run(const void* left, const void* right, const void* bias, void* result, bool add,
           void* workspace) const;

 private:
  void choose(const ProductShape& shape);

  const Libraries* libraries_ = nullptr;
  std::string what_;
  ProductEpilogue epilogue_ = ProductEpilogue::none;
  ProductDescriptor operation_;
  MatrixLayout first_, second_, result_;
  cublasLtMatmulAlgo_t algorithm_ = {};
  std::size_t workspace_bytes_ = 0;
};

}  // namespace convoy::cuda
