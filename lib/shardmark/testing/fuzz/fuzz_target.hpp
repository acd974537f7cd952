// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace shardmark::testing {

/// Valid inputs to start from.
std::vector<std::vector<std::byte>> fuzz_seeds();

}  // namespace shardmark::testing

/// libFuzzer's entry point, called by its main or by plain_driver.cpp. Aborts on a finding.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
