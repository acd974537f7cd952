// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/contract/reserved_pieces.hpp"

#include <cstddef>
#include <vector>

#include "shardmark/core/box.hpp"
#include "shardmark/core/by_rank.hpp"
#include "shardmark/storage/posix/space.hpp"

namespace shardmark {

std::int64_t bytes_to_store(const SaveTarget& target) {
  if (target.has_holes) {
    return target.global->statistics.num_bytes;
  }
  std::int64_t num_bytes = 0;
  for (const Entry& entry : target.entries->entries) {
    num_bytes += entry.num_bytes();
  }
  return num_bytes;
}

Status reserve_pieces(const SaveTarget& target, const PlacedFiles& placed, std::uint64_t file) {
  const std::string& path = of_rank(placed.paths, file);
  std::vector<FileRange> ranges;
  for (std::size_t i = 0; i < placed.pieces.size(); ++i) {
    const StoredPiece& piece = placed.pieces[i];
    const PlannedWrite& write = target.plan->writes[i];
    const std::int64_t itemsize = element_size(of_rank(target.entries->entries, write.entry).dtype);
    if (piece.file == file) {
      for_each_run(
          relative_to(write.box, piece.offsets), piece.sizes,
          [&](std::int64_t element, std::int64_t count) {
            if (count * itemsize >= least_reserved_bytes) {
              ranges.push_back({path, piece.address + element * itemsize, count * itemsize});
            }
          });
    }
  }
  return Status(reserve_ranges(path, ranges));
}

}  // namespace shardmark
