// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "shardmark/core/result.hpp"

namespace shardmark::bench {

/// Local. Forks a child that looks at checkpoints as another process would, for runs of one rank.
/// Before MPI starts and before there are threads; it leaves when this process does. Where it
/// cannot be made, nothing is observed.
void fork_observer_child();

/// Local.
bool has_observer_child() noexcept;

/// Local. Waits until the child has seen the step; how many looks it took. Errors: those of
/// wait_until_visible(); io_error if the child is gone.
Result<std::int64_t> ask_observer_child(const std::string& directory, std::int64_t step);

}  // namespace shardmark::bench
