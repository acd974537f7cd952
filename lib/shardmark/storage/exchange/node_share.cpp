// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/exchange/node_share.hpp"

#include <algorithm>

#include "shardmark/storage/exchange/striped_regions.hpp"

namespace shardmark {

NodeShare share_of_node(std::span<const ExchangedFile> files, const Striping& striping,
                        std::int64_t region_bytes, const Dealing& dealing, int rank) {
  const int own_node = dealing.node_of_rank[static_cast<std::size_t>(rank)];
  std::vector<std::size_t> ranks;  // of the node
  for (std::size_t r = 0; r < dealing.node_of_rank.size(); ++r) {
    if (dealing.node_of_rank[r] == own_node) {
      ranks.push_back(r);
    }
  }
  const std::vector<std::size_t> first = first_regions(files, region_bytes);
  NodeShare share;
  std::vector<std::size_t> first_of_share;
  for (std::size_t f = 0; f < files.size(); ++f) {
    if (std::ranges::any_of(ranks,
                            [&](std::size_t r) { return dealing.writes_to(r, files[f].file); })) {
      share.files.push_back(files[f]);
      first_of_share.push_back(first[f]);
    }
  }
  share.regions = cut_into_regions(share.files, first_of_share, region_bytes, 1);
  deal_by_objects(share.regions, striping, 1);
  deal_to_nodes(share.regions, share.files, dealing, rank);
  return share;
}

}  // namespace shardmark
