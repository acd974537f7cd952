// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>

#include "bench/cli/grammar/command_reference.hpp"
#include "bench/cli/texts/config_reference.hpp"

namespace shardmark::bench {

/// Local. shardmark(1) as roff text.
std::string man_page(const ProgramReference& program, std::span<const KeyReference> keys,
                     const std::string& version);

}  // namespace shardmark::bench
