// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/watch/watched_operation.hpp"

#include <algorithm>
#include <cmath>

#include "bench/harness/watch/watch_board.hpp"
#include "bench/harness/watch/watcher.hpp"

namespace shardmark::bench {
namespace {

constexpr double times_expected = 10;

}  // namespace

double deadline_s(std::optional<double> configured_s, double expected_s) {
  return configured_s.value_or(std::max(least_deadline_s, times_expected * expected_s));
}

double deadline_around_s(std::optional<double> configured_s, double expected_s) {
  return std::max(configured_s.value_or(0), deadline_s(std::nullopt, expected_s));
}

void ExpectedTime::note(std::int64_t num_bytes, double elapsed_s) {
  if (num_bytes > 0 && elapsed_s > 0) {
    const double rate = static_cast<double>(num_bytes) / elapsed_s;
    slowest_ = std::min(slowest_.value_or(rate), rate);
  }
}

double ExpectedTime::of(std::int64_t num_bytes) const {
  return static_cast<double>(num_bytes) / slowest_.value_or(expected_rate);
}

WatchedOperation::WatchedOperation(std::string_view what, double deadline_s) {
  RankSlot& slot = own_slot();
  const std::int64_t now = board_time_ns();
  // Not due while it changes: the watcher looks at the deadline first.
  slot.deadline_ns = 0;
  slot.what.store(what);
  slot.progress.tensor.store("");
  slot.begun_ns = now;
  slot.operation = slot.operation + 1;
  slot.deadline_ns = now + std::llround(deadline_s * 1e9);
}

WatchedOperation::~WatchedOperation() {
  own_slot().deadline_ns = 0;
}

}  // namespace shardmark::bench
