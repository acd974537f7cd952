// SPDX-License-Identifier: Apache-2.0
// Prints the boxes that a DTensor of 7 x 4 elements, cut by rows over 3 ranks, has on every rank.
#include <array>
#include <cstdio>

#include "shardmark/tensor/dtensor.hpp"

namespace {

using namespace shardmark;

Status print_boxes() {
  SHARDMARK_ASSIGN_OR_RETURN(const DeviceMesh mesh, DeviceMesh::row_major({3}));
  const std::array placements = {Placement::shard(0)};
  SHARDMARK_ASSIGN_OR_RETURN(const TensorLayout layout,
                             make_tensor_layout({7, 4}, Dtype::float32, mesh, placements));
  for (std::int64_t rank = 0; rank < mesh.size(); ++rank) {
    SHARDMARK_ASSIGN_OR_RETURN(const Dims sizes, DTensor::local_sizes(layout, rank));
    const auto memory = contiguous_view<std::byte>(nullptr, Dtype::float32, sizes);
    SHARDMARK_ASSIGN_OR_RETURN(const DTensor tensor, DTensor::from_local(memory, layout, rank));
    SHARDMARK_ASSIGN_OR_RETURN(const auto chunks, tensor.create_chunk_list());
    for (const ChunkStorageMetadata& chunk : chunks) {
      std::printf("rank %d: offsets %s sizes %s\n", static_cast<int>(rank),
                  to_string(chunk.offsets).c_str(), to_string(chunk.sizes).c_str());
    }
  }
  return {};
}

}  // namespace

int main() {
  const Status printed = print_boxes();
  if (!printed) {
    std::fprintf(stderr, "error: %s\n", printed.error().message.c_str());
    return exit_code(printed.error().code);
  }
  return 0;
}
