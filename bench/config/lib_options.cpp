// SPDX-License-Identifier: Apache-2.0
#include "bench/config/lib_options.hpp"

#include <utility>

namespace shardmark::bench {
namespace {

/// The configuration accepts only names that are built, so a miss is a fault of this program.
template <typename T>
T known(const std::optional<T>& value) {
  SHARDMARK_ASSERT(value.has_value(), "a resolved configuration holds known names only");
  return *value;
}

std::vector<PlacementRule> placement_rules(const Config& config) {
  std::vector<PlacementRule> rules;
  for (const auto& [pattern, rule] : config.parallel.rules) {
    rules.push_back({pattern, *parse_placements(rule.placements), rule.origin});
  }
  return rules;
}

}  // namespace

WorkloadOptions workload_options(const Config& config) {
  const ModelConfig& m = config.model;
  const ParallelConfig& p = config.parallel;
  return {.model = {.name = m.name,
                    .scale = m.scale,
                    .dtype = m.dtype,
                    .optimizer = m.optimizer,
                    .safetensors = m.safetensors,
                    .matrix_sizes = m.matrix_sizes,
                    .stacked_experts = m.experts == "stacked",
                    .job = m.job},
          .parallel = {.strategy = p.strategy,
                       .dp_replicate = p.dp_replicate,
                       .dp_shard = p.dp_shard,
                       .tp = p.tp,
                       .pp = p.pp,
                       .ep = p.ep,
                       .order = p.order,
                       .grid_rows = p.grid_rows,
                       .block_size = p.block_size,
                       .rules = placement_rules(config)},
          .filter = {}};
}

DedupPolicy dedup_policy(const Config& config) {
  return known(dedup_policy_from_name(config.planner.dedup));
}

PlannerKind planner_kind(const Config& config) {
  return known(planner_kind_from_name(config.planner.kind));
}

std::unique_ptr<SavePlanner> configured_planner(const Config& config) {
  auto planner = make_save_planner(planner_kind(config), dedup_policy(config));
  return config.planner.cache ? make_cached_save_planner(std::move(planner)) : std::move(planner);
}

StorageOptions storage_options(const Config& config) {
  StorageOptions options;
  options.backend = known(backend_from_name(config.storage.backend));
  const std::string& layout = config.storage.layout;
  const std::size_t colon = layout.find(':');  // "groups:4"
  options.layout = known(file_layout_from_name(layout.substr(0, colon)));
  options.groups = colon == std::string::npos ? 1 : std::stoi(layout.substr(colon + 1));
  options.io = known(io_mode_from_name(config.storage.io));
  options.checksum = config.storage.checksum == "none" ? ChecksumKind::none : ChecksumKind::xxh3;
  options.o_direct = config.storage.o_direct;
  options.threads = static_cast<int>(config.storage.threads);
  options.alignment = config.storage.alignment;
  options.alignment_threshold = config.storage.alignment_threshold;
  options.allow_padding = config.storage.allow_padding;
  options.exchange = known(exchange_level_from_name(config.storage.exchange));
  options.exchange_bytes = config.storage.exchange_bytes;
  options.aggregators = static_cast<int>(config.storage.aggregators);
  options.stripe_bytes = config.storage.stripe_size;
  options.stripe_count = config.storage.stripe_count;
  options.hints = config.storage.hints;
  options.coherence = config.storage.coherent == "yes"  ? Coherence::yes
                      : config.storage.coherent == "no" ? Coherence::no
                                                        : Coherence::automatic;
  options.meta_block_size = config.storage.meta_block_size;
  return options;
}

SaveOptions save_options(const Config& config, const std::string& directory, std::int64_t step,
                         std::uint64_t seed) {
  SaveOptions options;
  options.directory = directory;
  options.step = step;
  options.seed = seed;
  options.dedup = dedup_policy(config);
  options.planner = planner_kind(config);
  options.storage = storage_options(config);
  return options;
}

LoadOptions load_options(const Config& config, const std::string& directory,
                         std::optional<std::int64_t> step) {
  LoadOptions options;
  options.directory = directory;
  options.step = step;
  options.checksum = known(checksum_mode_from_name(config.load.checksum));
  options.backend = known(backend_from_name(config.storage.backend));
  options.io = known(io_mode_from_name(config.storage.io));
  options.replicas = config.load.replicas == "broadcast" ? Replicas::broadcast : Replicas::read;
  options.strict = config.load.strict;
  options.o_direct = config.storage.o_direct;
  options.threads = static_cast<int>(config.storage.threads);
  options.sieve_gap = config.load.sieve_gap;
  options.exchange = known(exchange_level_from_name(config.load.exchange));
  options.exchange_bytes = config.storage.exchange_bytes;
  options.hints = config.storage.hints;
  return options;
}

PlayedSave played_save(const Config& config, const PlayedWorld& played, PlayedParts parts) {
  auto workload = std::make_shared<std::optional<Workload>>();
  return {.world = played,
          .parts = parts,
          .whole_world = [workload, options = workload_options(config),
                          world_size = played.world_size](int rank) -> Result<const StateDict*> {
            if (!*workload) {
              SHARDMARK_ASSIGN_OR_RETURN(Workload made,
                                         Workload::make(options, rank, world_size, Memory::none));
              workload->emplace(std::move(made));
            }
            SHARDMARK_RETURN_IF_ERROR((*workload)->move_to_rank(rank));
            return &std::as_const(**workload).state_dict();
          }};
}

bool uses_page_cache(const StorageConfig& storage) {
  const BackendTraits& backend = backend_of(storage);
  const bool through_mpi_io =
      backend.through_mpi_io || (backend.has_file_layouts && storage.io != "direct");
  return !backend.discards && (through_mpi_io || !storage.o_direct);
}

const BackendTraits& backend_of(const StorageConfig& storage) {
  return traits_of(known(backend_from_name(storage.backend)));
}

}  // namespace shardmark::bench
