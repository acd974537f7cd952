// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdio>
#include <optional>
#include <string>

namespace shardmark::bench {

/// What the reader of a stream can show.
struct TextStyle {
  std::optional<int> width;  // columns of a terminal; nullopt: as long as it takes
  bool colour = false;
};

/// Local. The terminal that a standard stream ends in, under mpirun too; empty if it ends in none.
std::string terminal_of(std::FILE* stream);

/// Local. Width and colours on terminals only; no colours with NO_COLOR set or TERM=dumb. Asked
/// for anew each time: people change the size of windows.
TextStyle text_style(std::FILE* stream);

}  // namespace shardmark::bench
