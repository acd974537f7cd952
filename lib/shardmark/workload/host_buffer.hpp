// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "shardmark/core/result.hpp"

namespace shardmark {

/// Owns one rank's element memory: one anonymous mapping in huge pages where the kernel has them,
/// every page touched before anything is timed.
class HostBuffer {
 public:
  HostBuffer() = default;
  ~HostBuffer();
  HostBuffer(HostBuffer&& other) noexcept;
  HostBuffer& operator=(HostBuffer&& other) noexcept;

  /// Local. Zeroed. Errors: invalid_argument if it is more than this machine's memory, no_space if
  /// the system refuses it.
  static Result<HostBuffer> make(std::int64_t num_bytes);

  std::span<std::byte> bytes() const noexcept { return {begin_, size_}; }

 private:
  std::byte* mapping_ = nullptr;
  std::size_t mapping_size_ = 0;
  std::byte* begin_ = nullptr;  // the first huge page boundary in the mapping
  std::size_t size_ = 0;
};

}  // namespace shardmark
