// Which training runs a scaling benchmark consists of: points (one run each, repeated) and the series that
// they belong to. For benchmark_scaling_page.
//
// DIR/plan.json holds it for the page: machine {host, cpu, cores, memory_bytes, kernel}, points [{name,
// model, precision, data, ranks, global_batch}], series [{mode, model, precision, data, batch, points:
// [name]}].
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace convoy::scaling {

using Json = nlohmann::ordered_json;

struct PlanOptions {
  std::vector<int> ranks;
  bool weak = true, strong = false;
  std::vector<std::string> models, precisions;
  std::vector<std::int64_t> batches;  // of a rank, where the number of ranks does not change it
  std::int64_t global_batch = 0;  // strong scaling; 0: the batch of a rank times the largest number of ranks
  std::vector<std::string> stores;  // beside drawn images
};

// One set of options of `convoy train` on a number of ranks.
struct Point {
  std::string name;  // of its folder: alexnet-fp32-drawn-x2-g64
  std::string model, precision;
  std::string data;  // "drawn", or the path of a store
  int ranks = 1;
  std::int64_t global_batch = 0;
};

// Points that differ in their ranks alone. Weak scaling: each rank has the same batch; strong: all ranks
// together.
struct Series {
  std::string mode, model, precision, data;
  std::int64_t batch = 0;  // weak: of a rank; strong: of all ranks
  std::vector<std::string> points = {};
};

// A store of drawn images. All global batches divide the number of images, so that no step is smaller.
struct DrawnStore {
  std::string name;  // of its folder: store-256x1000
  int side = 0, classes = 0;
  std::int64_t images = 0;
};

struct Plan {
  std::vector<Point> points;  // a run that two series have in common is one point
  std::vector<Series> series;
};

// Throws ExitCode::usage for an unknown network or a batch that gives a rank no image.
Plan make_plan(const PlanOptions& options);

// The store of drawn images that a network's points need.
DrawnStore drawn_store(const Plan& plan, const std::string& model);

Json plan_to_json(const Plan& plan);
Plan plan_from_json(const Json& json);

// This machine; what is not known is left out.
Json machine_facts();

}  // namespace convoy::scaling
