// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "shardmark/checkpoint/key_report.hpp"
#include "shardmark/core/result.hpp"
#include "shardmark/mpi/communicator.hpp"
#include "shardmark/plan/merge/played_world.hpp"
#include "shardmark/profile/phase_times.hpp"
#include "shardmark/protocol/state_dict.hpp"
#include "shardmark/storage/format/manifest.hpp"
#include "shardmark/storage/format/storage_options.hpp"
#include "shardmark/storage/posix/page_residency.hpp"

namespace shardmark {

/// How ranks that want the same elements get them.
enum class Replicas : std::uint8_t {
  read,       // each reads for itself
  broadcast,  // one reads, the others get it from there: ExchangeLevel::world where there is one
};

/// Files that nobody here has written: where their tensors lie is told by a manifest that somebody
/// has made for them, without checksums.
struct ForeignFiles {
  std::string directory;
  Manifest manifest;
};

struct LoadOptions {
  std::string directory;
  std::optional<std::int64_t> step;  // newest committed by default
  ChecksumMode checksum = ChecksumMode::read;
  Backend backend = Backend::hdf5;  // how to read; raw files are never read through HDF5
  IoMode io = IoMode::direct;
  Replicas replicas = Replicas::read;
  bool strict = true;    // a wanted entry that the checkpoint does not have is an error
  bool o_direct = true;  // in IoMode::direct
  int threads = 0;       // in IoMode::direct; 0: choose
  std::int64_t sieve_gap = std::int64_t{64} << 10;    // bytes; in IoMode::direct
  std::map<std::string, std::string> hints = {};      // for MPI-IO
  ExchangeLevel exchange = ExchangeLevel::automatic;  // in IoMode::direct
  std::int64_t exchange_bytes = 0;                    // its staging on a node; 0: choose
  /// This world's ranks play some of a bigger one, and read what those have written when they were
  /// played.
  std::optional<PlayedWorld> played = {};
  /// Read instead of a step; the same on all ranks, who believe it.
  std::shared_ptr<const ForeignFiles> foreign = {};

  friend bool operator==(const LoadOptions&, const LoadOptions&) = default;
};

struct LoadReport {
  std::int64_t step = 0;
  std::uint64_t seed = 0;
  std::int64_t num_bytes = 0;         // delivered to this rank
  std::int64_t bytes_read = 0;        // asked of storage by this rank
  std::int64_t read_requests = 0;     // transfers of this rank
  std::int64_t smallest_request = 0;  // bytes; 0 without requests
  std::int64_t bytes_received = 0;    // of those delivered, what another rank has read as well
  std::int64_t bytes_staged = 0;      // copied on their way, by this rank
  std::int64_t bytes_o_direct = 0;    // past the page cache, in whole blocks
  std::string o_direct_reason;        // why O_DIRECT was wanted and not used, on this rank
  std::int64_t bytes_exchanged = 0;   // copied out of memory that ranks share, by this one
  std::int64_t messages = 0;          // sent for the exchange, by this rank
  std::string exchange;               // level at which ranks read together
  std::string exchange_why;           // why at this level
  KeyReport keys;                     // the same on all ranks
  /// Of this rank, with LoadOptions::played: what it wants and ranks that nobody played would have
  /// written, in bytes, and the entries of which that is a part, ascending.
  std::int64_t absent_bytes = 0;
  std::vector<std::string> absent;
  // Over all ranks; each chunk counts once.
  std::int64_t verified_chunks = 0;
  std::int64_t unverified_chunks = 0;
  std::int64_t verify_bytes_read = 0;
  double total_s = 0;              // this rank
  PhaseTimes phases;               // sum to total_s
  std::vector<PhaseEvent> events;  // when they were
};

/// Collective. Reads a checkpoint into what `state_dict` refers to, at any world size and sharding.
/// Entries of the checkpoint that the state dict does not name are not read; without `strict`,
/// entries that the checkpoint does not have keep their values. Both are reported.
///
/// Errors, the same on all ranks and before any byte is read: not_found (no such step or tensor),
/// mismatch (shape or dtype), unsupported (format version), data_loss (damaged). While reading:
/// io_error; data_loss naming fqn and offsets for a chunk whose checksum does not match. After an
/// error the destination holds unspecified values.
Result<LoadReport> load(StateDict& state_dict, const LoadOptions& options,
                        const Communicator& comm);

/// Collective. The bytes that this rank's load would read, without reading them: to see how many of
/// them are cached. Errors as load().
Result<std::vector<FileRange>> plan_load_ranges(const StateDict& state_dict,
                                                const LoadOptions& options,
                                                const Communicator& comm);

}  // namespace shardmark
