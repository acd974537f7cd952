// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "shardmark/core/tensor_view.hpp"
#include "shardmark/mpi/communicator.hpp"
#include "shardmark/plan/load/load_plan.hpp"
#include "shardmark/storage/format/manifest.hpp"
#include "shardmark/storage/format/storage_options.hpp"
#include "shardmark/storage/raw/io_counters.hpp"

namespace shardmark {

/// One piece on its way from storage: read into `elements`, which alias the program's tensor.
struct ReadTask {
  const PlannedRead* read = nullptr;
  TensorView elements;  // sizes equal read->box.sizes
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

  virtual const ReadCounters& counters() const noexcept = 0;
};

/// How a load reads.
struct ReadOptions {
  Backend backend = Backend::hdf5;
  IoMode io = IoMode::independent;
  bool o_direct = true;                             // in IoMode::direct
  int threads = 0;                                  // in IoMode::direct; 0: choose
  std::int64_t sieve_gap = std::int64_t{64} << 10;  // bytes; in IoMode::direct
  bool hashes = false;  // take checksums of whole chunks while they are read, where that is free
  std::map<std::string, std::string> hints = {};  // for MPI-IO
};

/// Local.
std::unique_ptr<StorageReader> make_storage_reader(const ReadOptions& options,
                                                   const Communicator& comm);

}  // namespace shardmark
