// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace shardmark::bench {

/// Local. The order of one run: `rounds` rounds, each with every case once, shuffled by `seed`. The
/// same on every rank and every machine for the same arguments.
std::vector<std::vector<std::size_t>> shuffled_rounds(std::size_t num_cases, int rounds,
                                                      std::uint64_t seed);

}  // namespace shardmark::bench
