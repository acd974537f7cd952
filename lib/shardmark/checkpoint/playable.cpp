// SPDX-License-Identifier: Apache-2.0
#include "shardmark/checkpoint/playable.hpp"

#include <fmt/format.h>

#include <cstddef>
#include <string_view>

namespace shardmark {

Status check_can_be_played(const SaveOptions& options, int num_ranks) {
  if (!options.played) {
    return {};
  }
  const PlayedWorld& world = options.played->world;
  const auto refused = [&](std::string_view what, std::string_view why) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("{} cannot play {}: {}", what, describe(world), why)};
  };
  const StorageOptions& storage = options.storage;
  const BackendTraits& backend = traits_of(storage.backend);
  if (world.ranks.size() != static_cast<std::size_t>(num_ranks) || world.ranks.empty() ||
      world.ranks.front() < 0 || world.ranks.back() >= world.world_size) {
    return refused(fmt::format("{} ranks", num_ranks),
                   "each plays one of that world, and each of those is played by one");
  }
  if (options.kept_planner != nullptr || options.kept_entry_file != nullptr) {
    return refused("planner.cache = true", "what it keeps is of one world");
  }
  if (backend.through_mpi_io || (backend.has_file_layouts && storage.io != IoMode::direct)) {
    return refused(
        "MPI-IO",
        "all ranks of a world open its files together; expected storage.io = \"direct\", "
        "and a back end other than mpiio");
  }
  if (storage.layout == FileLayout::shared_chunked && backend.has_file_layouts) {
    return refused("storage.layout = \"shared-chunked\"", "HDF5 would make the tiles of all ranks");
  }
  if (storage.exchange != ExchangeLevel::automatic && storage.exchange != ExchangeLevel::off) {
    return refused(fmt::format("storage.exchange = \"{}\"", exchange_level_name(storage.exchange)),
                   "its regions wait for bytes of ranks that are not there; expected \"off\"");
  }
  return {};
}

}  // namespace shardmark
