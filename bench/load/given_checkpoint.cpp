// SPDX-License-Identifier: Apache-2.0
#include "bench/load/given_checkpoint.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "bench/config/lib_options.hpp"
#include "bench/load/safetensors_source.hpp"
#include "shardmark/checkpoint/checkpoint_files.hpp"
#include "shardmark/checkpoint/load.hpp"
#include "shardmark/storage/directory/step_names.hpp"

namespace shardmark::bench {
namespace {

/// A folder of steps, or that of one step.
std::pair<std::string, std::optional<std::int64_t>> place_of(std::string from) {
  while (from.size() > 1 && from.ends_with('/')) {
    from.pop_back();
  }
  const std::size_t slash = from.rfind('/');
  const auto step = step_of_name(slash == std::string::npos ? from : from.substr(slash + 1));
  if (!step) {
    return {std::move(from), std::nullopt};
  }
  return {slash == std::string::npos ? std::string(".")
          : slash == 0               ? std::string("/")
                                     : from.substr(0, slash),
          step};
}

/// Collective. Rank 0 opens it; all learn what there is to know before a load.
Result<GivenCheckpoint> find_given(const std::string& from, const Communicator& comm) {
  GivenCheckpoint given;
  if (is_safetensors(from)) {
    auto source = open_safetensors(from);
    SHARDMARK_RETURN_IF_ERROR(comm.agree(Status(source)));
    given.directory = (*source)->directory;
    given.foreign = std::move(*source);
    return given;
  }
  const auto [directory, step] = place_of(from);
  given.directory = directory;
  Status opened;
  std::array<std::int64_t, 4> facts{};
  if (comm.is_root()) {
    const auto checkpoint = open_checkpoint(directory, step);
    opened = Status(checkpoint);
    if (checkpoint) {
      const Manifest& manifest = checkpoint->manifest;
      facts = {manifest.step, static_cast<std::int64_t>(manifest.seed), manifest.world_size,
               static_cast<std::int64_t>(manifest.layout)};
    }
  }
  SHARDMARK_RETURN_IF_ERROR(comm.agree(opened));
  comm.broadcast(std::as_writable_bytes(std::span(facts)), 0);
  given.step = facts[0];
  given.seed = static_cast<std::uint64_t>(facts[1]);
  given.world_size = facts[2];
  given.layout = static_cast<FileLayout>(facts[3]);
  return given;
}

Error named(const Error& error, const std::string& from) {
  return {error.code, fmt::format("load.from = \"{}\": {}", from, error.message), error.rank};
}

}  // namespace

LoadOptions options_of(const Config& config, const GivenCheckpoint& given) {
  LoadOptions options = load_options(config, given.directory, given.step);
  if (given.foreign) {
    options.foreign = given.foreign;
    options.strict = false;  // objects are not there; tensors have been looked for
  }
  return options;
}

Status check_given_checkpoint(const SweepCase& point, SuiteEnvironment& environment) {
  const Config& config = point.config;
  const std::string& from = config.load.from;
  if (from.empty()) {
    return {};
  }
  if (!environment.given.contains(from)) {
    auto found = find_given(from, environment.comm);
    if (!found) {
      return named(found.error(), from);
    }
    environment.given[from] = std::move(*found);
  }
  const GivenCheckpoint& given = environment.given.at(from);
  auto workload = environment.workloads.get(config, Memory::none, Played::first);
  SHARDMARK_RETURN_IF_ERROR(environment.comm.agree(Status(workload)));
  if (given.foreign) {
    const Status there =
        environment.comm.agree(check_has_tensors((*workload)->state_dict(), *given.foreign));
    SHARDMARK_RETURN_IF_ERROR(there ? there : Status(named(there.error(), from)));
  }
  const auto planned =
      plan_load_ranges((*workload)->state_dict(), options_of(config, given), environment.comm);
  return planned ? Status() : Status(named(planned.error(), from));
}

}  // namespace shardmark::bench
