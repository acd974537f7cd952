// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "shardmark/mpi/communicator.hpp"

namespace shardmark::testing {

/// All ranks of the running test.
const Communicator& world();

}  // namespace shardmark::testing
