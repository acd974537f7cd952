// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <concepts>
#include <cstdint>

namespace shardmark {

/// A member of types whose content is worth remembering: what their hooks say (names, dtypes,
/// shapes, layouts, boxes; not the elements). Tells the process when such an object may have
/// changed: it is assigned to, moved from or destroyed, or the type itself announces a change.
/// While epoch() stays what it was, every object known by its address still says what it said.
class ContentMark {
 public:
  ContentMark() noexcept = default;
  ContentMark(const ContentMark&) noexcept {}
  ContentMark(ContentMark&&) noexcept { announce(); }
  ContentMark& operator=(const ContentMark&) noexcept {
    announce();
    return *this;
  }
  ContentMark& operator=(ContentMark&&) noexcept {
    announce();
    return *this;
  }
  ~ContentMark() { announce(); }

  /// Local. One addition.
  static void announce() noexcept { epoch_.fetch_add(1, std::memory_order_relaxed); }
  /// Local. Changes of other threads count once they are visible to this one.
  static std::uint64_t epoch() noexcept { return epoch_.load(std::memory_order_relaxed); }

 private:
  inline static std::atomic<std::uint64_t> epoch_ = 0;
};

/// A type that has a ContentMark and announces what else may change its hooks' answers: plans of
/// unchanged tensors are then found again without asking every tensor. A type without one is asked.
template <typename T>
concept AnnouncesChanges = requires(const T& tensor) {
  { tensor.content_mark() } -> std::same_as<const ContentMark&>;
};

}  // namespace shardmark
