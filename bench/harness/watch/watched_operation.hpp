// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace shardmark::bench {

/// Local. run.deadline for one operation: what is configured, in seconds; where that is "auto", ten
/// times what is expected, at least least_deadline_s.
double deadline_s(std::optional<double> configured_s, double expected_s);

inline constexpr double least_deadline_s = 60;

/// Local. For what goes on around operations (set-up, checks): never less than least_deadline_s.
double deadline_around_s(std::optional<double> configured_s, double expected_s);

/// Bytes a second of all ranks together that are expected before anything was measured: half of
/// what one disk or a network of 1 Gbit/s gives, so that ten times as long is beyond any of them.
inline constexpr double expected_rate = 64.0 * 1024 * 1024;

/// What moved before tells what to expect: the slowest rate so far.
class ExpectedTime {
 public:
  /// Local. An operation has moved so many bytes in so many seconds.
  void note(std::int64_t num_bytes, double elapsed_s);
  /// Local. Seconds for so many bytes.
  double of(std::int64_t num_bytes) const;

 private:
  std::optional<double> slowest_;  // bytes a second
};

/// An operation of all ranks while it lives: past its deadline the watcher names who is late. Of
/// the thread that began; an inner one hides the outer one.
class WatchedOperation {
 public:
  WatchedOperation(std::string_view what, double deadline_s);
  ~WatchedOperation();
  WatchedOperation(const WatchedOperation&) = delete;
  WatchedOperation& operator=(const WatchedOperation&) = delete;
};

}  // namespace shardmark::bench
