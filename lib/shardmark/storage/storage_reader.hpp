// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "shardmark/core/tensor_view.hpp"
#include "shardmark/mpi/communicator.hpp"
#include "shardmark/plan/load_plan.hpp"
#include "shardmark/storage/manifest.hpp"
#include "shardmark/storage/storage_options.hpp"

namespace shardmark {

/// One piece on its way from storage: read into `elements`, which alias the program's tensor.
struct ReadTask {
  const PlannedRead* read = nullptr;
  TensorView elements;  // sizes equal read->box.sizes
};

struct ReadCounters {
  std::int64_t bytes_read =
      0;  // asked of files: gaps read across count, rounding to blocks does not
  std::int64_t read_requests = 0;
  std::int64_t bytes_staged = 0;      // copied on their way
  std::int64_t bytes_o_direct = 0;    // past the page cache, in whole blocks
  std::string o_direct_reason;        // why O_DIRECT was wanted and not used; empty if it was
  std::int64_t smallest_request = 0;  // bytes; 0 without requests

  /// Local. Adds what another reader did.
  void merge(const ReadCounters& other) noexcept {
    if (other.read_requests > 0) {
      smallest_request = read_requests == 0 ? other.smallest_request
                                            : std::min(smallest_request, other.smallest_request);
    }
    bytes_read += other.bytes_read;
    read_requests += other.read_requests;
    bytes_staged += other.bytes_staged;
  }
  /// Local. Counts one request.
  void add(std::int64_t num_bytes) noexcept {
    smallest_request = read_requests == 0 ? num_bytes : std::min(smallest_request, num_bytes);
    bytes_read += num_bytes;
    ++read_requests;
  }
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
