// Products of row-major matrices by cuBLASLt, as fully connected layers need them. Used by
// fully_connected.cpp.
#pragma once

#include <string>
#include <vector>

#include "engine/cuda/libraries.hpp"
#include "engine/tuning/tuner.hpp"

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

  // Chooses the fastest of the first algorithms that the heuristics name instead, as `tuner` measures or
  // remembers it (rank 0's where ranks agree); `what` is the question's. Not in a capture: it runs them in
  // memory of its own. cuBLASLt repeats the bits of an algorithm on the same GPU, so all are deterministic.
  void tune(Tuner& tuner, const std::string& what);
  // All algorithms that tune() tries, the chosen one too; for tests.
  std::size_t algorithms() const { return algorithms_.size(); }
  void use_algorithm(std::size_t index);

  // Bytes of workspace that the chosen algorithm uses.
  std::size_t workspace_bytes() const { return algorithms_[chosen_].workspaceSize; }

  // The shape with the algorithm in use: what another answer may depend on.
  std::string key() const;

  // Enqueues it; `add`: result += …, with ProductEpilogue::none. `bias` may be null there.
  void run(const void* left, const void* right, const void* bias, void* result, bool add,
           void* workspace) const;
  // The same on another stream than the libraries'.
  void run_on(cudaStream_t stream, const void* left, const void* right, const void* bias, void* result,
              bool add, void* workspace) const;

 private:
  using Algorithm = cublasLtMatmulHeuristicResult_t;

  std::vector<Algorithm> heuristics(std::uint32_t reductions) const;
  void list_algorithms();
  std::string question_key() const;  // the shape alone
  cublasStatus_t run(cudaStream_t stream, const Algorithm& algorithm, const void* left, const void* right,
                     const void* bias, void* result, bool add, void* workspace) const;

  const Libraries* libraries_ = nullptr;
  std::string what_;
  ProductShape shape_;
  bool tf32_ = false;
  ProductEpilogue epilogue_ = ProductEpilogue::none;
  ProductDescriptor operation_;
  MatrixLayout first_, second_, result_;
  std::vector<Algorithm> algorithms_;
  std::size_t chosen_ = 0;
};

}  // namespace convoy::cuda
