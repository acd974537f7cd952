// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/measure/case_naming.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "bench/config/lib_options.hpp"
#include "bench/config/played_ranks.hpp"

namespace shardmark::bench {
namespace {

// The rest of a name says these already.
constexpr std::array<std::string_view, 5> named_keys = {
    "model.name", "parallel.strategy", "storage.backend", "storage.layout", "storage.io"};

std::string unquoted(std::string text) {
  std::erase(text, '"');
  return text;
}

CaseDescription describe(const FamilyTraits& family, std::string_view variant,
                         const SweepCase& point, const SuiteEnvironment& environment) {
  CaseDescription description;
  description.family = family;
  description.model = point.config.model.name;
  description.strategy = point.config.parallel.strategy;
  description.variant = variant;
  description.world_size = environment.comm.size();
  description.name =
      fmt::format("{}/{}/{}/{}", family.name, description.model, description.strategy, variant);
  return description;
}

/// Keys of a sweep that the name does not say yet.
void add_varied_keys(CaseDescription& description, const SweepCase& point) {
  for (const auto& [key, value] : point.varied) {
    const bool named = std::ranges::find(named_keys, key) != named_keys.end();
    if (!description.family.concerns(key) || named) {
      continue;
    }
    const std::string text = unquoted(value);
    description.keys[key] = text;
    description.extra += fmt::format("{}{}={}", description.extra.empty() ? "" : " ", key, text);
    description.name += fmt::format("/{}:{}", key, text);
  }
}

/// Model, sharding and place decide what a ceiling moves, and where.
std::string ceiling_group(const SweepCase& point) {
  std::string group = point.config.model.name + "/" + point.config.parallel.strategy;
  for (const auto& [key, value] : point.varied) {
    if (FamilyTraits::concerns(ceiling_keys, key) &&
        std::ranges::find(named_keys, key) == named_keys.end()) {
      group += fmt::format("/{}:{}", key, unquoted(value));
    }
  }
  return group;
}

/// What is read or written by some ranks of a bigger world is told from all else by its name.
void add_played_world(CaseDescription& description, const SweepCase& point,
                      const SuiteEnvironment& environment) {
  const auto played = played_world(point.config, environment.comm.size());
  if (!description.family.is_played || !played || !*played) {
    return;
  }
  const std::string ranks = ranks_text((*played)->ranks);
  description.name += fmt::format("/world:{}/play:{}", (*played)->world_size, ranks);
  description.world_size = (*played)->world_size;
  description.is_virtual = true;
  description.extra = describe(**played);
  description.keys["played"] = ranks;
  description.ceiling_group.clear();  // no ceiling moves the bytes of these ranks
}

void add_real_world(CaseDescription& description, const SuiteEnvironment& environment) {
  description.name +=
      fmt::format("/nodes:{}/ranks:{}", environment.topology.num_nodes(), environment.comm.size());
}

}  // namespace

std::string_view operation_name(Operation operation) noexcept {
  return operation == Operation::save ? "save" : operation == Operation::load ? "load" : "";
}

CaseDescription describe_io_case(const FamilyTraits& family, Operation operation,
                                 const SweepCase& point, const SuiteEnvironment& environment) {
  const StorageConfig& storage = point.config.storage;
  const BackendTraits& backend = backend_of(storage);
  std::string variant =
      backend.has_file_layouts ? fmt::format("{}-{}", storage.layout, storage.io) : storage.backend;
  if (storage.async && operation == Operation::save) {
    variant += "-async";
  }
  const GivenCheckpoint* const given =
      operation == Operation::load ? environment.given_to(point.config) : nullptr;
  if (given != nullptr) {
    variant = given->foreign
                  ? std::string("safetensors-direct-given")
                  : fmt::format("{}-{}-given", file_layout_name(given->layout), storage.io);
  }
  CaseDescription description = describe(family, variant, point, environment);
  description.operation = operation;
  description.discards = backend.discards && given == nullptr;
  // No ceiling reads where the given one lies.
  description.ceiling_group = given == nullptr ? ceiling_group(point) : std::string();
  description.keys = {{"backend", storage.backend},
                      {"file_layout", storage.layout},
                      {"io", storage.io},
                      {"planner", point.config.planner.kind},
                      {"dedup", point.config.planner.dedup},
                      {"checksum", storage.checksum}};
  if (given != nullptr && given->foreign) {
    description.keys = {
        {"file_layout", "safetensors"}, {"io", "direct"}, {"from", point.config.load.from}};
  } else if (given != nullptr) {
    // What made it is not known here, but for what it says of itself.
    description.keys = {{"file_layout", std::string(file_layout_name(given->layout))},
                        {"io", storage.io},
                        {"from", point.config.load.from},
                        {"from_step", fmt::format("{}", given->step)},
                        {"from_world", fmt::format("{}", given->world_size)}};
  }
  add_played_world(description, point, environment);
  add_real_world(description, environment);
  add_varied_keys(description, point);
  return description;
}

CaseDescription describe_ceiling_case(const FamilyTraits& family, std::string_view variant,
                                      const SweepCase& point, const SuiteEnvironment& environment) {
  CaseDescription description = describe(family, variant, point, environment);
  add_real_world(description, environment);
  description.ceiling_group = ceiling_group(point);
  add_varied_keys(description, point);
  return description;
}

CaseDescription describe_planning_case(const FamilyTraits& family, std::string_view variant,
                                       const SweepCase& point,
                                       const SuiteEnvironment& environment) {
  CaseDescription description = describe(family, variant, point, environment);
  if (point.config.run.world != 0) {
    description.world_size = point.config.run.world;
    description.is_virtual = true;
    description.extra = fmt::format("{} virtual ranks", description.world_size);
  }
  description.name +=
      fmt::format("/world:{}/ranks:{}", description.world_size, environment.comm.size());
  add_varied_keys(description, point);
  return description;
}

}  // namespace shardmark::bench
