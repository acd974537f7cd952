// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "shardmark/storage/exchange/regions.hpp"
#include "shardmark/storage/posix/striping.hpp"

namespace shardmark {

/// What one node has to do with of a save that ranks on several nodes write.
struct NodeShare {
  std::vector<ExchangedFile> files;  // that its ranks write to
  std::vector<Region> regions;       // all of these files, dealt to nodes
};

/// Local. Of `files`, the save's, and their regions, what the node of `rank` has: a rank of it
/// opens and syncs these files and no others, and walks these regions. `striping` is that of each
/// file.
NodeShare share_of_node(std::span<const ExchangedFile> files, const Striping& striping,
                        std::int64_t region_bytes, const Dealing& dealing, int rank);

}  // namespace shardmark
