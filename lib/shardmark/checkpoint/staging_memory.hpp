// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/storage/contract/storage_writer.hpp"

namespace shardmark {

/// Local. The room that the elements of `tasks` take.
std::int64_t staged_size(std::span<const WriteTask> tasks);

/// Memory that elements are staged in: one mapping in huge pages where the kernel has them, touched
/// when it is made, kept from save to save.
class StagingMemory {
 public:
  StagingMemory() = default;
  ~StagingMemory();
  StagingMemory(const StagingMemory&) = delete;
  StagingMemory& operator=(const StagingMemory&) = delete;

  /// Local. Room for `num_bytes`; what it held may be gone. Errors: no_space.
  Status reserve(std::int64_t num_bytes);
  std::int64_t size() const noexcept { return static_cast<std::int64_t>(size_); }

  /// Local. Copies the tasks' elements, in row-major order and end to end, on `threads` threads;
  /// afterwards the tasks see the copies. They must fit.
  void stage(std::span<WriteTask> tasks, int threads);

 private:
  void release() noexcept;

  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace shardmark
