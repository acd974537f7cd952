// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "shardmark/core/tensor_view.hpp"
#include "shardmark/mpi/communicator.hpp"
#include "shardmark/plan/load/load_plan.hpp"
#include "shardmark/profile/phase_times.hpp"
#include "shardmark/storage/format/manifest.hpp"
#include "shardmark/storage/format/storage_options.hpp"
#include "shardmark/storage/raw/io_counters.hpp"

namespace shardmark {

/// One piece on its way from storage: read into `elements`, which alias the program's tensor.
struct ReadTask {
  const PlannedRead* read = nullptr;
  TensorView elements;  // sizes equal read->box.sizes
};

/// A chunk whose elements were hashed on their way, in the chunk's own order.
struct HashedChunk {
  std::size_t entry = 0;
  std::uint64_t chunk = 0;  // among all chunks
  Dims offsets;
  std::uint64_t checksum = 0;
};

/// Gets planned pieces out of files. Collective: the same status on every rank.
class StorageReader {
 public:
  virtual ~StorageReader() = default;

  /// Tasks by entry ascending. `directory` is that of the step.
  virtual Status read(const std::string& directory, const Manifest& manifest,
                      std::span<const ReadTask> tasks) = 0;

  /// By task: the XXH3-64 of what lies in memory now, taken while it was read, for tasks that are a
  /// whole chunk. Empty if this reader takes none.
  virtual std::span<const std::uint64_t> checksums() const noexcept { return {}; }

  /// Instead of checksums(), where ranks read together: the chunks that this rank has hashed for
  /// all, each by one rank. Null where each rank hashes its own.
  virtual const std::vector<HashedChunk>* hashed_chunks() const noexcept { return nullptr; }

  virtual const ReadCounters& counters() const noexcept = 0;
};

/// How a load reads.
struct ReadOptions {
  Backend backend = Backend::hdf5;
  IoMode io = IoMode::direct;
  bool o_direct = true;                             // in IoMode::direct
  int threads = 0;                                  // in IoMode::direct; 0: choose
  std::int64_t sieve_gap = std::int64_t{64} << 10;  // bytes; in IoMode::direct
  bool hashes = false;  // take checksums of whole chunks while they are read, where that is free
  std::map<std::string, std::string> hints = {};      // for MPI-IO
  ExchangeLevel exchange = ExchangeLevel::automatic;  // in IoMode::direct
  std::int64_t exchange_bytes = 0;                    // its staging on a node; 0: choose
  bool hashes_everywhere = false;  // each rank hashes what it reads whole, whoever else does
};

/// Local. Whether such a reader follows ReadOptions::exchange; HDF5 and MPI-IO do not.
bool reads_by_exchange(Backend backend, IoMode io) noexcept;

/// Local. `clock`, which may be null, is told of phases exchange and read.
std::unique_ptr<StorageReader> make_storage_reader(const ReadOptions& options,
                                                   const Communicator& comm,
                                                   PhaseClock* clock = nullptr);

}  // namespace shardmark
