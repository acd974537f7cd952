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

/// Bytes of one staging buffer of raw I/O, and the most that one request moves.
inline constexpr std::int64_t raw_piece_bytes = std::int64_t{8} << 20;
/// Staging buffers of a rank: 32 MiB.
inline constexpr std::size_t raw_staging_buffers = 4;

/// A page-aligned buffer of raw_piece_bytes. The process keeps up to raw_staging_buffers of them
/// for the next save or load: the first touch of memory may cost more than the I/O.
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
