// Whole training steps of one replica on random images: input arithmetic, forward, backward, update. Prints
// images per second (median of the repetitions) and which part of the time is spent inside the library's
// primitives. Example: benchmark_step --model alexnet --batch 128 --threads 2 --precision bf16
//
// --json FILE writes the same for `convoy plan --calibrate`: seconds of each part of a step, and when
// backward has completed which elements of the gradient.
#include <algorithm>
#include <boost/program_options.hpp>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/atomic_file.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/philox.hpp"
#include "device/cpu/cpu_facts.hpp"
#include "engine/engine.hpp"
#include "model/initialise.hpp"
#include "model/networks.hpp"
#include "optimizer_argument.hpp"

namespace {

using namespace convoy;

struct Settings {
  std::string model = "alexnet", precision = "fp32", optimizer = "sgd", json;
  int batch = 128, threads = 0, steps = 10, warm_up = 2, classes = 0;
  bool tune = false;
};

Precision parsed_precision(const std::string& name) {
  if (name == "fp32") return Precision::fp32;
  if (name == "bf16") return Precision::bf16;
  fail(ExitCode::usage, "--precision {}: this benchmark knows fp32 and bf16", name);
}

Settings parse(int argc, char** argv) {
  namespace po = boost::program_options;
  Settings settings;
  po::options_description options("benchmark_step: whole training steps on random images");
  options.add_options()("help", "this text")                                                            //
      ("model", po::value(&settings.model)->default_value(settings.model), "network")                   //
      ("classes", po::value(&settings.classes)->default_value(0), "0: the network's own")               //
      ("json", po::value(&settings.json), "write the result for convoy plan --calibrate to this file")  //
      ("batch", po::value(&settings.batch)->default_value(settings.batch), "samples a step")            //
      ("threads", po::value(&settings.threads)->default_value(0), "0: all usable cores")                //
      ("precision", po::value(&settings.precision)->default_value("fp32"), "fp32 or bf16")              //
      ("optimizer", po::value(&settings.optimizer)->default_value("sgd"), optimizer_choice().c_str())   //
      ("tune", po::bool_switch(&settings.tune),
       "choose by measurement (--deterministic off) and say what was chosen")                       //
      ("steps", po::value(&settings.steps)->default_value(settings.steps), "steps that are timed")  //
      ("warm-up", po::value(&settings.warm_up)->default_value(settings.warm_up), "steps before");
  po::variables_map given;
  po::store(po::parse_command_line(argc, argv, options), given);
  po::notify(given);
  if (given.count("help") != 0) {
    std::cout << options << '\n';
    std::exit(0);
  }
  return settings;
}

// A batch of random pixels and labels, each sample mirrored or not.
struct RandomBatch {
  std::vector<std::uint8_t> images;
  std::vector<std::int32_t> labels;
  std::vector<SampleTransform> transforms;
  BatchView view;

  RandomBatch(int rows, const InputSpec& input, int classes) {
    const auto side = static_cast<std::size_t>(input.stored_side);
    images.resize(static_cast<std::size_t>(rows) * side * side * 3);
    for (std::size_t i = 0; i + 4 <= images.size(); i += 4) {
      const PhiloxBlock block = philox(1, {{static_cast<std::uint32_t>(i), 0, 0, 0}});
      for (std::size_t j = 0; j < 4; ++j) images[i + j] = static_cast<std::uint8_t>(block.word[j]);
    }
    for (int row = 0; row < rows; ++row) {
      labels.push_back(row % classes);
      SampleTransform transform;
      const bool mirrored = row % 2 == 1;
      transform.matrix[0] = mirrored ? -1.0F : 1.0F;
      transform.matrix[2] = static_cast<float>(mirrored ? input.stored_side - 1 : 0);
      transforms.push_back(transform);
    }
    view = {.rows = rows, .images = images, .labels = labels, .transforms = transforms, .first_position = 0};
  }
};

struct Times {
  double step = 0, forward = 0, backward = 0, update = 0, primitives = 0;
  std::vector<std::size_t> ends;  // of the gradient, as backward completes it
  std::vector<double> ready;      // when, since backward began
};

Times one_step(TrainingReplica& replica, Program& program, const BatchView& batch, const UpdateStep& update,
               std::int64_t step) {
  Times times;
  Stopwatch watch;
  program.forward(batch, {.seed = 1, .step = step, .gradient_scale = 1.0 / batch.rows});
  times.forward = watch.restart();
  program.backward(false, [&](std::size_t end) {
    times.ends.push_back(end);
    times.ready.push_back(watch.seconds());
  });
  times.backward = watch.restart();
  replica.gradients_summed(0, replica.table().size());
  replica.update(update);
  times.update = watch.restart();
  times.step = times.forward + times.backward + times.update;
  times.primitives = program.primitive_seconds();
  return times;
}

double median(const std::vector<Times>& times, const std::function<double(const Times&)>& part) {
  std::vector<double> values;
  for (const Times& each : times) values.push_back(part(each));
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double median(const std::vector<Times>& times, double Times::*part) {
  return median(times, [part](const Times& each) { return each.*part; });
}

void write_json(const Settings& settings, const std::vector<Times>& times) {
  nlohmann::ordered_json ready = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < times.front().ends.size(); ++i)
    ready.push_back({{"end", times.front().ends[i]},
                     {"seconds", median(times, [i](const Times& each) { return each.ready[i]; })}});
  const double step = median(times, &Times::step);
  const nlohmann::ordered_json json = {
      {"benchmark", "step"},
      {"version", 1},
      {"model", settings.model},
      {"precision", settings.precision},
      {"optimizer", settings.optimizer},
      {"batch", settings.batch},
      {"threads", settings.threads > 0 ? settings.threads : concurrent_threads()},
      {"cores", concurrent_threads()},
      {"device", "cpu"},
      {"images_per_second", settings.batch / step},
      {"seconds",
       {{"input", 0.0},
        {"forward", median(times, &Times::forward)},
        {"backward", median(times, &Times::backward)},
        {"update", median(times, &Times::update)},
        {"step", step}}},
      {"ready", std::move(ready)}};
  write_file_atomically(settings.json, json.dump(2) + "\n");
}

void run(const Settings& settings) {
  const NetSpec spec = make_network(settings.model, {.classes = settings.classes, .dropout = {}});
  InputSpec input{.stored_side = std::max(spec.stored_side, spec.input.height),
                  .crop_side = spec.input.height,
                  .mean = {124, 117, 104},
                  .scale = {1.0F / 58, 1.0F / 57, 1.0F / 57}};
  const auto replica = make_training_replica(
      spec, input, {.device = DeviceKind::cpu, .threads = settings.threads, .deterministic = !settings.tune},
      {.optimizer = {.rule = parsed_optimizer(settings.optimizer)}});
  std::vector<float> weights(replica->table().size());
  initialise_parameters(replica->table(), spec.initialiser, 1, weights);
  replica->write_parameters(weights);
  const auto program = replica->compile(
      {.batch = settings.batch, .mode = Mode::training, .precision = parsed_precision(settings.precision)});
  for (const Decision& decision : replica->tuning_decisions())
    if (settings.tune) std::printf("%s\n", decision_text(decision).c_str());
  program->measure_primitives(true);
  const RandomBatch batch(settings.batch, input, class_count(spec));
  const std::vector<TensorRate> rates(replica->table().parameters().size(), {.rate = 1e-4F, .decay = 5e-4F});
  std::vector<Times> times;
  for (int step = 0; step < settings.warm_up + settings.steps; ++step) {
    const Times taken = one_step(*replica, *program, batch.view, {.number = step + 1, .rates = rates}, step);
    if (step >= settings.warm_up) times.push_back(taken);
  }
  const double step = median(times, &Times::step);
  std::printf(
      "%s %s batch %d: %.1f images/s (step %.1f ms: forward %.1f, backward %.1f, update %.1f), loss %.4f\n",
      settings.model.c_str(), settings.precision.c_str(), settings.batch, settings.batch / step, step * 1e3,
      median(times, &Times::forward) * 1e3, median(times, &Times::backward) * 1e3,
      median(times, &Times::update) * 1e3, program->metrics().loss / settings.batch);
  std::printf("primitives / step: %.3f\n", median(times, &Times::primitives) / step);
  if (!settings.json.empty()) write_json(settings, times);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(parse(argc, argv));
    return 0;
  } catch (const convoy::Error& error) {
    std::cerr << error.what() << '\n';
    return static_cast<int>(error.category());
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return static_cast<int>(convoy::ExitCode::usage);
  }
}
