// What a run of benchmarks/gpu/run found, as one JSON object: gpu.json. For benchmark_gpu_page alone.
//
// gpu.json is one object; other programs read it, so these keys stay (more may be added):
//   format    1
//   run       begun (UTC), host, commit, minutes, small: of benchmarks/gpu/run
//   device    name, compute_capability, multiprocessors, memory_bytes, emulated, small
//   parts     [{name, outcome: ok | failed | out of time | skipped, seconds, reason}], in their order
//   entries   [{id, value, unit, better: higher | lower, …}], one for each measured number
//   tuning    [{run, what, key, chosen, source, trials: [{name, outcome, milliseconds, difference}]}];
//             difference is null where a result was not finite
//   notes     [text]
//
// `id` of an entry is the same in every run:
//   facts/…                             copies (GB/s), products (TFLOP/s)
//   tests/TEST                          1 where it failed; seconds
//   step/NETWORK/PRECISION/BATCH/convoy
//       images/s; step_seconds, graph, floor_seconds, floor_share, forward_seconds …, set_up_seconds, loss
//   step/NETWORK/PRECISION/BATCH/peer-MODE
//       images/s; step_seconds, and of the same alternation convoy_step_seconds, convoy_speed_ratio
//   layer/NETWORK/PRECISION/BATCH/LAYER, kernel/BATCH/KERNEL
//       microseconds; floor_us, bytes, flops
//   train/NETWORK/PRECISION/BATCH       images/s; seconds of a step by phase
//   loss/NETWORK/PRECISION
//       largest relative difference in steps 1 to 3; losses, reference_losses
//   collective/xGPUS/WIRE/MIB           GB/s of the bus; seconds
// Where a measurement was repeated the last one counts.
#pragma once

#include <filesystem>

#include "records.hpp"

namespace convoy::gpu_benchmark {

// The results in a file of records (records.hpp).
Json gather_results(const std::filesystem::path& records);

// A gpu.json; `run` and `device` are there. Throws ExitCode::io, and ExitCode::bad_data where the file is
// none.
Json read_results(const std::filesystem::path& path);

}  // namespace convoy::gpu_benchmark
