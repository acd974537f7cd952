// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace shardmark::bench {

/// Local. Who this process is, for describe_activity().
void note_world(int rank, int num_ranks);

/// Local. What this process does from now on: "round 2/9 save/tiny/...".
void note_activity(const std::string& what);

/// Local, from any thread. One line for whoever asks where this rank is (SIGUSR1; scripts/sweep
/// asks before it ends a run that hangs): "shardmark: rank 3 of 8 on node1: write for 12.3 s, in
/// round 2/9 save/tiny/...". Outside of phases, as in checks, the phase is "unmeasured".
std::string describe_activity();

}  // namespace shardmark::bench
