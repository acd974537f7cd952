// SPDX-License-Identifier: Apache-2.0
#include "bench/ceiling/ceiling_setting.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "bench/ceiling/ceiling_transfer.hpp"
#include "bench/config/lib_options.hpp"
#include "bench/machine/memory_room.hpp"
#include "shardmark/checkpoint/save.hpp"

namespace shardmark::bench {

Status CeilingSetting::enter() {
  if (users_ == 0) {
    ++memory_->users;
    if (Status made = make_shared_parts(); !made) {
      let_go_of_memory();
      return made;
    }
  }
  ++users_;
  return {};
}

Status CeilingSetting::leave() {
  if (--users_ > 0) {
    return {};
  }
  let_go_of_memory();
  load_files_.clear();
  shared_address_.reset();
  return folder_->remove_all(environment_.comm);
}

Status CeilingSetting::make_shared_parts() {
  SHARDMARK_RETURN_IF_ERROR(measure_shares());
  SHARDMARK_RETURN_IF_ERROR(environment_.comm.agree(memory().reserve(period_bytes_)));
  SHARDMARK_ASSIGN_OR_RETURN(
      folder_, CeilingFolder::make(environment_.checkpoints.folder_of(config_.storage.directory),
                                   name_, environment_.comm));
  return {};
}

void CeilingSetting::let_go_of_memory() {
  if (--memory_->users == 0) {
    memory_->memory = CeilingMemory();
  }
}

Status CeilingSetting::measure_shares() {
  auto workload = environment_.workloads.get(config_, Memory::allocate);
  SHARDMARK_RETURN_IF_ERROR(environment_.comm.agree(Status(workload)));
  // A save that discards tells what each rank writes.
  SaveOptions options = save_options(config_, "", 0, 0);
  options.storage = {};
  options.storage.backend = Backend::null;
  options.storage.checksum = ChecksumKind::none;
  SHARDMARK_ASSIGN_OR_RETURN(const SaveReport report,
                             save((*workload)->state_dict(), options, environment_.comm));
  const auto rank = static_cast<std::size_t>(environment_.comm.rank());
  std::vector<std::int64_t> stored(static_cast<std::size_t>(environment_.comm.size()));
  std::vector<std::int64_t> wanted(stored.size());
  stored[rank] = report.bytes_written;
  wanted[rank] = (*workload)->local_num_bytes();
  environment_.comm.all_reduce(std::span(stored), MPI_SUM);
  environment_.comm.all_reduce(std::span(wanted), MPI_SUM);
  // A quarter of what is free for both buffers.
  const std::int64_t limit = environment_.comm.all_reduce(
      available_memory_bytes() / 8 /
          environment_.topology.num_ranks_beside(environment_.comm.rank()),
      MPI_MIN);
  period_bytes_ = CeilingMemory::period_for(
      std::max(*std::ranges::max_element(stored), *std::ranges::max_element(wanted)) + 4096, limit);
  shares_.emplace(std::move(stored), std::move(wanted));
  return {};
}

Status CeilingSetting::prepare_load_files(const CeilingKind& loads) {
  const std::string stem = load_stem(loads);
  const bool shared = loads.sharing() == FileSharing::one_file;
  if (!load_files_.insert(stem).second) {
    return {};
  }
  constexpr CeilingOption many_streams{std::int64_t{1} << 20, 4, false};
  Status made =
      shared ? make_shared_load_file(stem) : make_own_load_files(loads, many_streams, stem);
  if (!made) {
    load_files_.erase(stem);
  }
  return made;
}

Status CeilingSetting::renew_load_files(const CeilingKind& loads, const CeilingOption& option) {
  if (loads.sharing() == FileSharing::one_file) {
    return {};
  }
  const std::string stem = load_stem(loads);
  SHARDMARK_RETURN_IF_ERROR(folder_->remove(stem, loads.sharing(), environment_.comm));
  return make_own_load_files(loads, option, stem);
}

Status CeilingSetting::make_own_load_files(const CeilingKind& loads, const CeilingOption& option,
                                           const std::string& stem) {
  CeilingKind saves = loads;
  saves.saves = true;
  SHARDMARK_RETURN_IF_ERROR(folder_->reserve(stem, loads.sharing(), *shares_, environment_.comm));
  return write_load_files(saves, option, stem);
}

/// HDF5's file serves all readers of one shared file: its dataset lies there in one piece.
Status CeilingSetting::make_shared_load_file(const std::string& stem) {
  SHARDMARK_RETURN_IF_ERROR(folder_->ask_to_make(stem, environment_.comm));
  const CeilingKind kind{CeilingLayer::bare_hdf5, true, false};
  SHARDMARK_RETURN_IF_ERROR(write_load_files(kind, {max_ceiling_piece_bytes, 1, false}, stem));
  SHARDMARK_ASSIGN_OR_RETURN(
      shared_address_,
      bare_dataset_address(folder_->files(stem, kind.sharing(), 1).front(), environment_.comm));
  return {};
}

Status CeilingSetting::write_load_files(const CeilingKind& kind, const CeilingOption& option,
                                        const std::string& stem) {
  fill(load_seed);
  const auto own = pieces(kind, option, std::numeric_limits<std::int64_t>::max());
  PhaseClock clock(Phase::write);
  return environment_.comm.agree(move(kind, option, stem, own, clock));
}

std::vector<CeilingPiece> CeilingSetting::pieces(const CeilingKind& kind,
                                                 const CeilingOption& option,
                                                 std::int64_t limit) const {
  const int rank = environment_.comm.rank();
  if (kind.saves) {
    return shares_->written(rank, option.piece_bytes, kind.sharing(), limit);
  }
  return shares_->read(rank, option.piece_bytes, kind.sharing(), shared_address_.value_or(0),
                       limit);
}

Status CeilingSetting::move(const CeilingKind& kind, const CeilingOption& option,
                            const std::string& stem, std::span<const CeilingPiece> pieces,
                            PhaseClock& clock) const {
  const auto paths = folder_->files(stem, kind.sharing(), shares_->num_ranks());
  return move_ceiling({kind, option, pieces, paths, shares_->total_bytes(), memory_->memory, clock,
                       environment_.comm});
}

}  // namespace shardmark::bench
