// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace shardmark {

/// A number in memory that threads or processes of one node share, for whose change they can wait
/// asleep: ranks that outnumber the cores would burn each other's time by polling.
class SharedWord {
 public:
  std::uint32_t load() const noexcept { return value_.load(std::memory_order_seq_cst); }
  /// Local. Wakes all who wait.
  void store(std::uint32_t value) noexcept;
  /// Local. Returns the new value, without waking anybody.
  std::uint32_t add(std::uint32_t value) noexcept {
    return value_.fetch_add(value, std::memory_order_seq_cst) + value;
  }
  /// Local. Sets the value without waking anybody.
  void reset(std::uint32_t value) noexcept { value_.store(value, std::memory_order_seq_cst); }
  /// Local. Sets bits, without waking anybody.
  void set_bits(std::uint32_t bits) noexcept { value_.fetch_or(bits, std::memory_order_seq_cst); }
  void wake() noexcept;

  /// Local. Sleeps until the value is no longer `seen`, at most `longest`; may return earlier.
  void wait_change(std::uint32_t seen, std::chrono::milliseconds longest) noexcept;

 private:
  std::atomic<std::uint32_t> value_ = 0;
  std::atomic<std::uint32_t> sleepers_ = 0;  // a wake costs a system call only where one sleeps
};

static_assert(std::atomic<std::uint32_t>::is_always_lock_free);

}  // namespace shardmark
