// Macros for the small inline functions of element arithmetic that run both on the CPU and in GPU kernels,
// and for leaf loops that are compiled for several vector widths on the CPU.
#pragma once

#ifdef __CUDACC__
#define CONVOY_HOST_DEVICE __host__ __device__
#else
#define CONVOY_HOST_DEVICE
#endif

// A leaf loop over contiguous memory: compiled for the baseline, AVX2 and AVX-512, selected at load time. Put
// it on the function that contains the loop, not on one that contains an OpenMP region (outlined regions are
// not cloned). Results do not depend on the selection: contraction of multiply and add is off for the whole
// program.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__CUDACC__)
#define CONVOY_VECTORISED __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define CONVOY_VECTORISED
#endif
