// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
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
  std::int64_t bytes_read = 0;
  std::int64_t read_requests = 0;
  std::int64_t smallest_request = 0;  // bytes; 0 without requests

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

  virtual const ReadCounters& counters() const noexcept = 0;
};

/// Local.
std::unique_ptr<StorageReader> make_storage_reader(FileLayout layout, IoMode io,
                                                   const Communicator& comm);

}  // namespace shardmark
