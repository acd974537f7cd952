// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdio>
#include <optional>

namespace shardmark::bench {

/// What the reader of a stream can show.
struct TextStyle {
  std::optional<int> width;  // columns of a terminal; nullopt: as long as it takes
  bool colour = false;
};

/// Local. Width and colours on terminals only, not under mpirun and the like; no colours with
/// NO_COLOR set or TERM=dumb.
TextStyle text_style(std::FILE* stream);

}  // namespace shardmark::bench
