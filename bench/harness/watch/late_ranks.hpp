// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace shardmark::bench {

/// One look at one rank.
struct RankLook {
  bool waits = false;    // for other ranks
  bool stopped = false;  // or gone: whatever it did, it does nothing now
};

/// Who holds up whom, from looks at all ranks of a node at regular times.
class LateRanks {
 public:
  /// Looks count half as much after `half_life_s`: who was slow and came in the end is not late.
  LateRanks(std::size_t num_ranks, double half_life_s);

  /// Local.
  void look(double now_s, std::span<const RankLook> ranks);

  /// Local. Ranks, ascending: those that do nothing by now; those that others waited for, at least
  /// half as long as for the one they waited for most; where nobody waits for anybody, all that are
  /// at work. Empty where all wait: then others hold them up, of another node.
  std::vector<std::size_t> late() const;

 private:
  double half_life_s_;
  double last_s_ = 0;
  std::vector<RankLook> last_;
  std::vector<double> held_up_;  // by rank: looks at which others waited and it did not
};

}  // namespace shardmark::bench
