// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "shardmark/core/result.hpp"
#include "shardmark/mpi/communicator.hpp"

namespace shardmark {

/// Memory that the ranks of one node share, page-aligned. All of it is there before anybody touches
/// it: on a full /dev/shm a later touch would end the process. A process keeps the last one that it
/// gave up for the next that fits, since the first touch of memory may cost more than the I/O.
class SharedMemory {
 public:
  /// `large`: a wish. Devices read up to twice as fast into large pages; to write out of them gains
  /// nothing, and to make them takes a third of a second a GiB, once.
  enum class Pages : std::uint8_t { any, large };

  /// Collective over `node`, whose ranks share a node; the same status on all. Its contents are
  /// unspecified. Errors: no_space where the node has not so much, unsupported where ranks cannot
  /// share any.
  static Result<SharedMemory> make(const Communicator& node, std::int64_t num_bytes,
                                   Pages pages = Pages::any);

  /// Local. Whether this kernel grants Pages::large. Tried once.
  static bool grants_large_pages();

  SharedMemory(SharedMemory&& other) noexcept
      : id_(std::exchange(other.id_, 0)),
        sharers_(other.sharers_),
        pages_(other.pages_),
        bytes_(std::exchange(other.bytes_, {})) {}
  SharedMemory& operator=(SharedMemory&&) = delete;
  /// Local. The other ranks may still use theirs.
  ~SharedMemory();

  std::span<std::byte> bytes() const noexcept { return bytes_; }

 private:
  SharedMemory(std::uint64_t id, int sharers, Pages pages, std::span<std::byte> bytes)
      : id_(id), sharers_(sharers), pages_(pages), bytes_(bytes) {}

  std::uint64_t id_;  // the same on all ranks
  int sharers_;
  Pages pages_;  // that were asked for
  std::span<std::byte> bytes_;
};

}  // namespace shardmark
