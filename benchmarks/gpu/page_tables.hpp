// The tables of gpu.md, each from the results in gpu.json. For benchmark_gpu_page alone.
#pragma once

#include "records.hpp"

namespace convoy::gpu_benchmark {

// Each prints Markdown to standard output, or nothing where there are no such results.
void print_parts(const Json& results);
void print_steps(const Json& results);      // one table for each network
void print_slowest(const Json& results);    // layers and kernels by time above the floor
void print_tuning(const Json& results);     // decisions, with the times of the candidates that lost
void print_trainings(const Json& results);  // from a store
void print_losses(const Json& results);
void print_notes(const Json& results);

// Ratios of all entries that two files have in common; those that moved most come first.
void print_comparison(const Json& old_results, const Json& results);

}  // namespace convoy::gpu_benchmark
