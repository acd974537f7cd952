// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <string>

#include "shardmark/checkpoint/inspect.hpp"

namespace shardmark::testing {

/// Local. Turns one bit of the first stored tensor's last element.
inline void flip_bit_of_elements(const std::string& directory, std::int64_t step) {
  const auto summary = inspect_checkpoint(directory, step);
  ASSERT_TRUE(summary) << summary.error().message;
  const Manifest& manifest = summary->manifest;
  std::size_t entry = 0;
  while (manifest.entries.entries[entry].kind != EntryKind::tensor) {
    ++entry;
  }
  const std::int64_t at =
      manifest.locations[entry].address + manifest.entries.entries[entry].num_bytes() - 1;
  std::fstream file(summary->directory + "/" + manifest.files[manifest.locations[entry].file],
                    std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(at);
  const int byte = file.get();
  file.seekp(at);
  file.put(static_cast<char>(byte ^ 1));
}

}  // namespace shardmark::testing
