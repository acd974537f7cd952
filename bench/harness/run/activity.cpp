// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/run/activity.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <mutex>

#include "shardmark/profile/current_phase.hpp"

namespace shardmark::bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Activity {
  std::mutex mutex;
  int rank = 0;
  int num_ranks = 1;
  std::string what = "start-up";
  Clock::time_point since = Clock::now();
};

Activity& activity() {
  static Activity instance;
  return instance;
}

std::string host_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

}  // namespace

void note_world(int rank, int num_ranks) {
  const std::scoped_lock lock(activity().mutex);
  activity().rank = rank;
  activity().num_ranks = num_ranks;
}

void note_activity(const std::string& what) {
  const std::scoped_lock lock(activity().mutex);
  activity().what = what;
  activity().since = Clock::now();
}

std::string describe_activity() {
  const CurrentPhase phase = current_phase();
  const std::scoped_lock lock(activity().mutex);
  const double seconds =
      phase.phase ? phase.for_s
                  : std::chrono::duration<double>(Clock::now() - activity().since).count();
  return fmt::format("shardmark: rank {} of {} on {}: {} for {:.1f} s, in {}", activity().rank,
                     activity().num_ranks, host_name(),
                     phase.phase ? phase_name(*phase.phase) : "unmeasured", seconds,
                     activity().what);
}

}  // namespace shardmark::bench
