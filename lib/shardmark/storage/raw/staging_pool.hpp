// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <queue>
#include <thread>
#include <utility>
#include <vector>

#include "shardmark/core/result.hpp"

namespace shardmark {

/// Bytes of one staging buffer of raw I/O, and the most that one request moves from or to it.
inline constexpr std::int64_t raw_piece_bytes = std::int64_t{8} << 20;
/// What one request moves between a file and the program's own memory, and at most 1 MiB more:
/// large requests cost no buffers there, and the device has more to choose from.
inline constexpr std::int64_t straight_piece_bytes = std::int64_t{16} << 20;
/// Staging buffers of a rank: 32 MiB.
inline constexpr std::size_t raw_staging_buffers = 4;

/// Where the first of the requests ends that move `num_bytes` at `offset` of a file from or to the
/// program's own memory: as few as may be, all about as large, cut at whole MiB.
std::int64_t straight_cut(std::int64_t offset, std::int64_t num_bytes) noexcept;

/// A buffer of raw_piece_bytes, aligned to 2 MiB. The process keeps up to raw_staging_buffers of
/// them for the next save or load: the first touch of memory may cost more than the I/O.
class StagingPiece {
 public:
  StagingPiece();
  ~StagingPiece();
  StagingPiece(StagingPiece&& other) noexcept : data_(std::exchange(other.data_, nullptr)) {}
  StagingPiece& operator=(StagingPiece&&) = delete;

  std::byte* data() const noexcept { return data_; }

 private:
  std::byte* data_;
};

/// Threads that do blocking I/O for one rank; jobs start in the order of submission. With no
/// threads, submit() does the job itself.
class IoThreads {
 public:
  explicit IoThreads(int threads);
  ~IoThreads();

  void submit(std::function<void()> job);

 private:
  void serve();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::queue<std::function<void()>> jobs_;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace shardmark
