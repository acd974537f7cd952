// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace shardmark {

/// A short text that one process writes and others read while it changes: cut where it is longer.
class PublishedText {
 public:
  static constexpr std::size_t max_bytes = 192;

  void store(std::string_view text) noexcept;
  /// What was stored last; a mixture of two where the writer is in the middle of it for ever.
  std::string load() const;

 private:
  std::atomic<std::uint32_t> version_ = 0;  // odd while it is being written
  std::array<std::atomic<std::uint64_t>, max_bytes / 8> words_{};
};

/// Where a process is, for whoever watches it from outside: all of it lies in one place, which may
/// be memory shared with the watcher, and is written by relaxed stores. Nothing here decides
/// anything inside this process.
struct Progress {
  static constexpr std::int32_t no_phase = -1;

  std::atomic<std::int32_t> phase = no_phase;    // of the phases' enumeration
  std::atomic<std::int64_t> phase_since_ns = 0;  // steady clock
  std::atomic<std::int64_t> bytes_moved = 0;     // between this process and files, since its start
  std::atomic<std::int32_t> transfers = 0;       // calls to the file system under way
  std::atomic<std::int32_t> own_waits = 0;       // the first thread waits for other ranks
  std::atomic<std::int32_t> hand_overs = 0;      // the first thread waits for threads of its own
  std::atomic<std::int32_t> helper_waits = 0;    // of these, those that wait for other ranks
  PublishedText tensor;                          // that it worked on last
};

static_assert(std::atomic<std::int64_t>::is_always_lock_free);

/// Local. What this process publishes.
Progress& progress() noexcept;

/// Local. From now on it is published at `place`, which must stay; the calling thread is the first.
/// While no other thread of this process publishes.
void publish_progress_at(Progress& place) noexcept;

/// While it lives, the calling thread waits for other ranks.
class ScopedWait {
 public:
  ScopedWait() noexcept;
  ~ScopedWait();
  ScopedWait(const ScopedWait&) = delete;
  ScopedWait& operator=(const ScopedWait&) = delete;

 private:
  std::atomic<std::int32_t>& count_;
};

/// While it lives, the first thread waits for other threads of its own process.
class ScopedHandOver {
 public:
  ScopedHandOver() noexcept { progress().hand_overs.fetch_add(1, std::memory_order_relaxed); }
  ~ScopedHandOver() { progress().hand_overs.fetch_sub(1, std::memory_order_relaxed); }
  ScopedHandOver(const ScopedHandOver&) = delete;
  ScopedHandOver& operator=(const ScopedHandOver&) = delete;
};

/// While it lives, the calling thread is in a call to the file system.
class ScopedTransfer {
 public:
  ScopedTransfer() noexcept { progress().transfers.fetch_add(1, std::memory_order_relaxed); }
  ~ScopedTransfer() { progress().transfers.fetch_sub(1, std::memory_order_relaxed); }
  ScopedTransfer(const ScopedTransfer&) = delete;
  ScopedTransfer& operator=(const ScopedTransfer&) = delete;
};

/// Local. Counts bytes that reached a file, or came from one.
inline void note_bytes_moved(std::int64_t num_bytes) noexcept {
  progress().bytes_moved.fetch_add(num_bytes, std::memory_order_relaxed);
}

/// Local. Which tensor comes next, in code that takes one after another.
inline void note_tensor(std::string_view fqn) noexcept {
  progress().tensor.store(fqn);
}

/// Local. Whether the process waits for others, and nothing of its own is under way.
bool waits_for_others(const Progress& seen) noexcept;

}  // namespace shardmark
