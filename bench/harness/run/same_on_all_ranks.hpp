// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/mpi/communicator.hpp"

namespace shardmark::bench {

/// Collective. The words must be the same on every rank: ranks that do different things wait for
/// each other for ever. invalid_argument naming the first word of the lowest rank that differs.
Status same_on_all_ranks(std::string_view what, const std::vector<std::string>& words,
                         const Communicator& comm);

}  // namespace shardmark::bench
