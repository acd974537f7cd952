// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

namespace shardmark {

/// What stripe sizes are multiples of.
inline constexpr std::int64_t stripe_unit_bytes = std::int64_t{64} << 10;
/// A stripe count: as many objects as the file system has targets.
inline constexpr std::int64_t all_stripes = -1;
/// Largest stripe size, and largest number of stripes, that can be asked for.
inline constexpr std::int64_t max_stripe_bytes = (std::int64_t{4} << 30) - stripe_unit_bytes;
inline constexpr std::int64_t max_stripe_count = 2000;

/// Bytes [begin, end) of a file, in stripes that go round over the same objects: the byte at
/// `offset` of the file lies in object offset / stripe_bytes % stripe_count.
struct StripeComponent {
  std::int64_t begin = 0;
  std::int64_t end = INT64_MAX;   // INT64_MAX: of the file
  std::int64_t stripe_bytes = 0;  // 0: nobody says
  std::int64_t stripe_count = 0;  // 0: nobody says; all_stripes

  friend bool operator==(const StripeComponent&, const StripeComponent&) = default;
};

/// How a file is cut over the targets of its file system: ascending, apart. Empty: not at all.
struct Striping {
  std::vector<StripeComponent> components;

  /// Local. The component that most bytes of a file of this length lie in; one without stripes
  /// where there is none.
  StripeComponent main_component(std::int64_t num_bytes) const noexcept;
  friend bool operator==(const Striping&, const Striping&) = default;
};

}  // namespace shardmark
