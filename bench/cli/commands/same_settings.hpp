// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "bench/config/config.hpp"
#include "shardmark/core/result.hpp"
#include "shardmark/mpi/communicator.hpp"

namespace shardmark::bench {

/// Collective. Errors: invalid_argument naming the first key whose value is another one on rank 0.
/// The sections model and parallel are left out: planning names the tensor that ranks see
/// differently.
Status same_settings_on_all_ranks(const Config& config, const Communicator& comm);

}  // namespace shardmark::bench
