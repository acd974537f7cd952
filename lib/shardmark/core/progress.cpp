// SPDX-License-Identifier: Apache-2.0
#include "shardmark/core/progress.hpp"

#include <algorithm>
#include <cstring>

namespace shardmark {
namespace {

Progress own_place;
std::atomic<Progress*> current = &own_place;
// Which of the counters of waits is this thread's. Before anybody is told where to publish, every
// thread counts as the first.
std::atomic<std::uint64_t> first_thread = 0;

std::uint64_t thread_number() noexcept {
  static std::atomic<std::uint64_t> next = 1;
  static thread_local const std::uint64_t own = next.fetch_add(1, std::memory_order_relaxed);
  return own;
}

bool is_first_thread() noexcept {
  const std::uint64_t first = first_thread.load(std::memory_order_relaxed);
  return first == 0 || first == thread_number();
}

}  // namespace

void PublishedText::store(std::string_view text) noexcept {
  std::array<std::uint64_t, max_bytes / 8> words{};
  std::memcpy(words.data(), text.data(), std::min(text.size(), max_bytes - 1));
  version_.fetch_add(1, std::memory_order_acq_rel);
  const std::size_t used = std::min(text.size() / 8 + 1, words.size());
  for (std::size_t i = 0; i < used; ++i) {
    words_[i].store(words[i], std::memory_order_relaxed);
  }
  version_.fetch_add(1, std::memory_order_release);
}

std::string PublishedText::load() const {
  constexpr int most_tries = 100;  // the writer may have been stopped in the middle
  std::array<std::uint64_t, max_bytes / 8> words{};
  for (int tries = 0; tries < most_tries; ++tries) {
    const std::uint32_t before = version_.load(std::memory_order_acquire);
    for (std::size_t i = 0; i < words.size(); ++i) {
      words[i] = words_[i].load(std::memory_order_relaxed);
    }
    std::atomic_thread_fence(std::memory_order_acquire);
    if (before % 2 == 0 && before == version_.load(std::memory_order_relaxed)) {
      break;
    }
  }
  std::array<char, max_bytes + 1> text{};
  std::memcpy(text.data(), words.data(), max_bytes);
  return text.data();
}

Progress& progress() noexcept {
  return *current.load(std::memory_order_relaxed);
}

void publish_progress_at(Progress& place) noexcept {
  first_thread.store(thread_number(), std::memory_order_relaxed);
  current.store(&place, std::memory_order_relaxed);
}

ScopedWait::ScopedWait() noexcept
    : count_(is_first_thread() ? progress().own_waits : progress().helper_waits) {
  count_.fetch_add(1, std::memory_order_relaxed);
}

ScopedWait::~ScopedWait() {
  count_.fetch_sub(1, std::memory_order_relaxed);
}

bool waits_for_others(const Progress& seen) noexcept {
  const auto of = [](const std::atomic<std::int32_t>& count) {
    return count.load(std::memory_order_relaxed);
  };
  return of(seen.transfers) == 0 &&
         (of(seen.own_waits) > 0 || (of(seen.hand_overs) > 0 && of(seen.helper_waits) > 0));
}

}  // namespace shardmark
