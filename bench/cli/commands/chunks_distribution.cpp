// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/commands/chunks_distribution.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <memory>
#include <tuple>

#include "bench/cli/commands/number_list.hpp"
#include "shardmark/core/by_rank.hpp"
#include "shardmark/core/nearest_name.hpp"
#include "shardmark/tensor/block_cyclic.hpp"
#include "shardmark/tensor/dtensor.hpp"
#include "shardmark/tensor/flat_shard.hpp"
#include "shardmark/tensor/ragged_shard.hpp"
#include "shardmark/tensor/sharded_tensor.hpp"

namespace shardmark::bench {
namespace {

// What a person or a script can still make use of, and memory can hold.
constexpr std::int64_t max_boxes = std::int64_t{1} << 22;

Error too_many_boxes(const DeviceMesh& mesh) {
  return {
      ErrorCode::invalid_argument,
      fmt::format(
          "mesh {} with this distribution may have more than {} boxes, expected a smaller mesh, split factor or larger blocks",
          to_string(mesh.shape()), max_boxes)};
}

bool cuts(const Placement& placement) {
  return placement.kind == PlacementKind::shard || placement.kind == PlacementKind::strided_shard;
}

TensorView planned(const Dims& sizes) {
  return contiguous_view<std::byte>(nullptr, Dtype::uint8, sizes);
}

/// Options that only one type takes, with the type.
Status check_options(const ChunksArguments& arguments) {
  constexpr std::array<std::string_view, 5> types = {"dtensor", "sharded", "flat", "ragged",
                                                     "block-cyclic"};
  if (std::find(types.begin(), types.end(), arguments.type) == types.end()) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("--type: found '{}', expected one of {}{}", arguments.type,
                             fmt::join(types, ", "), did_you_mean(arguments.type, types))};
  }
  const std::tuple<std::string_view, std::string_view, const std::string&> owners[] = {
      {"--boxes", "sharded", arguments.boxes},
      {"--units", "ragged", arguments.units},
      {"--blocks", "block-cyclic", arguments.blocks},
      {"--source", "block-cyclic", arguments.source},
      {"--flat-before", "flat", arguments.flat_before},
      {"--flat-after", "flat", arguments.flat_after}};
  for (const auto& [option, type, value] : owners) {
    if (!value.empty() && arguments.type != type) {
      return Error{
          ErrorCode::invalid_argument,
          fmt::format("{} goes with --type {}, found --type {}", option, type, arguments.type)};
    }
  }
  return {};
}

/// Where a rank stands among the parts that S(0) placements cut a flattened tensor into.
struct Parts {
  std::int64_t count = 1;
  std::int64_t index_of(const ChunksDistribution& to, std::int64_t rank) const {
    const Dims coordinate = to.mesh.coordinate(rank).value();
    std::int64_t index = 0;
    for (int m = 0; m < coordinate.ndim(); ++m) {
      if (cuts(to.placements[static_cast<std::size_t>(m)])) {
        index = index * to.mesh.shape()[m] + coordinate[m];
      }
    }
    return index;
  }
};

/// flat and ragged cut along the one dimension that a flattened tensor has.
Result<Parts> parse_parts(ChunksDistribution& to, const std::string& type) {
  const auto dims = static_cast<std::size_t>(to.mesh.ndim());
  if (to.placements.empty()) {
    to.placements.assign(dims, Placement::shard(0));
  }
  Parts parts;
  for (std::size_t m = 0; m < dims; ++m) {
    const Placement& placement = to.placements[m];
    if (placement.kind == PlacementKind::strided_shard || placement.dim != 0) {
      return Error{
          ErrorCode::invalid_argument,
          fmt::format(
              "--placements: found {}, a {} tensor is flattened first: expected S(0) to cut it, R to replicate it",
              to_string(placement), type)};
    }
    parts.count *= cuts(placement) ? to.mesh.shape()[static_cast<int>(m)] : 1;
  }
  return parts;
}

Result<std::int64_t> parse_count(const std::string& option, const std::string& text) {
  if (text.empty()) {
    return std::int64_t{0};
  }
  SHARDMARK_ASSIGN_OR_RETURN(const Dims value, parse_extents(option, text));
  if (value.ndim() != 1) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("{} '{}': expected one number", option, text)};
  }
  return value[0];
}

Status make_flat(const ChunksArguments& arguments, ChunksDistribution& to) {
  SHARDMARK_ASSIGN_OR_RETURN(const Parts parts, parse_parts(to, arguments.type));
  SHARDMARK_ASSIGN_OR_RETURN(const std::int64_t before,
                             parse_count("--flat-before", arguments.flat_before));
  SHARDMARK_ASSIGN_OR_RETURN(const std::int64_t after,
                             parse_count("--flat-after", arguments.flat_after));
  std::int64_t total = volume(to.shape);
  if (__builtin_add_overflow(total, before, &total) ||
      __builtin_add_overflow(total, after, &total)) {
    return Error{ErrorCode::invalid_argument,
                 "--flat-before, --flat-after: with the tensor, expected less than 2^63 elements"};
  }
  to.boxes_of = [to, parts, before, total](std::int64_t rank) -> Result<std::vector<Box>> {
    const FlatRange held = flat_part(total, parts.count, parts.index_of(to, rank));
    SHARDMARK_ASSIGN_OR_RETURN(
        const FlatShard shard,
        FlatShard::from_buffer(planned({held.size()}),
                               {to.shape, Dtype::uint8, whole_box(to.shape), before, held}));
    return shard.create_chunk_list();
  };
  return {};
}

Status make_ragged(const ChunksArguments& arguments, ChunksDistribution& to) {
  SHARDMARK_ASSIGN_OR_RETURN(const Parts parts, parse_parts(to, arguments.type));
  std::vector<std::int64_t> units(static_cast<std::size_t>(parts.count), 1);
  if (!arguments.units.empty()) {
    SHARDMARK_ASSIGN_OR_RETURN(units, parse_numbers("--units", arguments.units));
  }
  if (static_cast<std::int64_t>(units.size()) != parts.count) {
    return Error{
        ErrorCode::invalid_argument,
        fmt::format("--units '{}': found {} numbers, the mesh cuts the tensor into {} parts",
                    arguments.units, units.size(), parts.count)};
  }
  if (auto range = RaggedShard::held_range(to.shape, units, 0); !range) {
    return Error{range.error().code, "--units: " + range.error().message};
  }
  to.boxes_of = [to, parts, units](std::int64_t rank) -> Result<std::vector<Box>> {
    SHARDMARK_ASSIGN_OR_RETURN(const FlatRange held,
                               RaggedShard::held_range(to.shape, units, parts.index_of(to, rank)));
    SHARDMARK_ASSIGN_OR_RETURN(const RaggedShard shard,
                               RaggedShard::from_buffer(planned({held.size()}), to.shape, held));
    return shard.create_chunk_list();
  };
  return {};
}

/// Placement S(d) of mesh dimension m deals dimension d out over it.
Result<BlockCyclicLayout> cyclic_layout(ChunksDistribution& to) {
  BlockCyclicLayout layout;
  layout.global_sizes = to.shape;
  layout.dtype = Dtype::uint8;
  layout.grid = to.mesh;
  const int ndim = to.shape.ndim();
  layout.grid_dims = Dims::filled(ndim, -1);
  layout.source = Dims::filled(ndim, 0);
  if (to.placements.empty()) {
    for (int m = 0; m < to.mesh.ndim(); ++m) {
      to.placements.push_back(m < ndim ? Placement::shard(m) : Placement::replicate());
    }
  }
  for (int m = 0; m < to.mesh.ndim(); ++m) {
    const Placement& placement = to.placements[static_cast<std::size_t>(m)];
    if (placement.kind == PlacementKind::replicate) {
      continue;
    }
    if (placement.kind != PlacementKind::shard || layout.grid_dims[placement.dim] != -1) {
      return Error{
          ErrorCode::invalid_argument,
          fmt::format(
              "--placements: found {} for mesh dimension {}, a block-cyclic tensor takes R, and S(d) once for each dimension",
              to_string(placement), m)};
    }
    layout.grid_dims[placement.dim] = m;
  }
  return layout;
}

Status make_block_cyclic(const ChunksArguments& arguments, ChunksDistribution& to) {
  SHARDMARK_ASSIGN_OR_RETURN(BlockCyclicLayout layout, cyclic_layout(to));
  constexpr std::int64_t usual_block = 64;
  layout.block_sizes = Dims::filled(to.shape.ndim(), 1);
  for (int d = 0; d < to.shape.ndim(); ++d) {
    const auto g = static_cast<int>(layout.grid_dims[d]);
    const std::int64_t parts = g < 0 ? 1 : to.mesh.shape()[g];
    const FlatRange first = flat_part(to.shape[d], parts, 0);
    layout.block_sizes[d] =
        std::max<std::int64_t>(1, g < 0 ? first.size() : std::min(usual_block, first.size()));
  }
  if (!arguments.blocks.empty()) {
    SHARDMARK_ASSIGN_OR_RETURN(layout.block_sizes, parse_extents("--blocks", arguments.blocks));
  }
  if (!arguments.source.empty()) {
    SHARDMARK_ASSIGN_OR_RETURN(layout.source, parse_extents("--source", arguments.source));
  }
  SHARDMARK_RETURN_IF_ERROR(check_layout(layout));
  std::int64_t boxes = to.mesh.size();
  for (int d = 0; d < to.shape.ndim() && boxes <= max_boxes; ++d) {
    const std::int64_t blocks = to.shape[d] / layout.block_sizes[d] + 1;
    boxes = blocks > max_boxes ? max_boxes + 1 : boxes * blocks;
  }
  if (boxes > max_boxes) {
    return too_many_boxes(to.mesh);
  }
  to.boxes_of = [layout](std::int64_t rank) -> Result<std::vector<Box>> {
    TensorView local = planned(BlockCyclic::local_sizes(layout, rank));
    SHARDMARK_ASSIGN_OR_RETURN(const BlockCyclic tensor,
                               BlockCyclic::from_local(local, layout, rank));
    return tensor.create_chunk_list();
  };
  return {};
}

/// "rank:offsets:sizes;rank:offsets:sizes".
Result<std::vector<OwnedBox>> parse_boxes(const std::string& text) {
  std::vector<OwnedBox> boxes;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(';', at), text.size());
    const std::string part = text.substr(at, end - at);
    at = end + 1;
    if (part.empty() && end == text.size()) {
      break;  // a closing ';'
    }
    const std::size_t first = part.find(':');
    const std::size_t second = part.find(':', first == std::string::npos ? first : first + 1);
    if (second == std::string::npos) {
      return Error{
          ErrorCode::invalid_argument,
          fmt::format("--boxes: found '{}', expected rank:offsets:sizes, as in 0:0,0:5,7", part)};
    }
    OwnedBox owned;
    SHARDMARK_ASSIGN_OR_RETURN(owned.rank, parse_count("--boxes", part.substr(0, first)));
    SHARDMARK_ASSIGN_OR_RETURN(
        owned.box.offsets, parse_extents("--boxes", part.substr(first + 1, second - first - 1)));
    SHARDMARK_ASSIGN_OR_RETURN(owned.box.sizes, parse_extents("--boxes", part.substr(second + 1)));
    boxes.push_back(owned);
  }
  return boxes;
}

/// At most this many boxes will be listed: strided placements leave several a rank.
Status check_count(const ChunksDistribution& to) {
  std::int64_t boxes = to.mesh.size();
  for (const Placement& placement : to.placements) {
    if (placement.kind == PlacementKind::strided_shard && boxes <= max_boxes) {
      const std::int64_t extent = to.shape[placement.dim];
      const std::int64_t pieces = std::min({placement.split_factor, extent, max_boxes + 1});
      boxes *= std::max<std::int64_t>(pieces, 1);
    }
  }
  if (boxes > max_boxes) {
    return too_many_boxes(to.mesh);
  }
  return {};
}

Status make_dtensor(ChunksDistribution& to) {
  SHARDMARK_RETURN_IF_ERROR(check_count(to));
  to.boxes_of = [to](std::int64_t rank) -> Result<std::vector<Box>> {
    SHARDMARK_ASSIGN_OR_RETURN(
        const LocalShard shard,
        compute_local_shard(to.shape, to.mesh.shape(), to.mesh.coordinate(rank).value(),
                            to.placements));
    std::vector<Box> boxes;
    for (const LocalBox& part : shard.boxes) {
      boxes.push_back(part.box);
    }
    return boxes;
  };
  return {};
}

/// Without --boxes: the boxes that the placements give, each held by the lowest of its ranks.
Result<std::vector<OwnedBox>> boxes_by_placements(ChunksDistribution& to) {
  SHARDMARK_RETURN_IF_ERROR(make_dtensor(to));
  std::vector<OwnedBox> owned;
  for (std::int64_t rank = 0; rank < to.mesh.size(); ++rank) {
    const Dims coordinate = to.mesh.coordinate(rank).value();
    bool lowest = true;
    for (int m = 0; m < coordinate.ndim(); ++m) {
      lowest = lowest && (coordinate[m] == 0 || cuts(to.placements[static_cast<std::size_t>(m)]));
    }
    if (!lowest) {
      continue;
    }
    SHARDMARK_ASSIGN_OR_RETURN(const std::vector<Box> boxes, to.boxes_of(rank));
    for (const Box& box : boxes) {
      owned.push_back({box, rank});
    }
  }
  return owned;
}

Status make_sharded(const ChunksArguments& arguments, ChunksDistribution& to) {
  std::vector<OwnedBox> owned;
  if (arguments.boxes.empty()) {
    SHARDMARK_ASSIGN_OR_RETURN(owned, boxes_by_placements(to));
  } else {
    SHARDMARK_ASSIGN_OR_RETURN(owned, parse_boxes(arguments.boxes));
  }
  for (const OwnedBox& box : owned) {
    if (box.rank >= to.mesh.size()) {
      return Error{ErrorCode::invalid_argument,
                   fmt::format("--boxes: found rank {}, the mesh {} has ranks 0 to {}", box.rank,
                               to_string(to.mesh.shape()), to.mesh.size() - 1)};
    }
  }
  SHARDMARK_ASSIGN_OR_RETURN(const ShardingSpec spec,
                             ShardingSpec::make(to.shape, std::move(owned)));
  auto by_rank = std::make_shared<std::vector<std::vector<Box>>>(
      static_cast<std::size_t>(to.mesh.size()));  // shared: std::function copies what it holds
  for (const OwnedBox& box : spec.boxes()) {
    of_rank(*by_rank, box.rank).push_back(box.box);
  }
  for (std::vector<Box>& boxes : *by_rank) {
    std::sort(boxes.begin(), boxes.end());
  }
  to.boxes_of = [by_rank](std::int64_t rank) -> Result<std::vector<Box>> {
    return of_rank(*by_rank, rank);
  };
  return {};
}

/// Extents of the mesh; of an explicit list of boxes the ranks that it names will do.
Result<Dims> parse_mesh(const ChunksArguments& arguments) {
  if (!arguments.mesh.empty()) {
    return parse_extents("--mesh", arguments.mesh);
  }
  if (arguments.boxes.empty()) {
    return Error{ErrorCode::invalid_argument,
                 "--mesh: found nothing, expected at least one extent, as in 2,3"};
  }
  SHARDMARK_ASSIGN_OR_RETURN(const auto boxes, parse_boxes(arguments.boxes));
  std::int64_t ranks = 1;
  for (const OwnedBox& box : boxes) {
    ranks = std::max(ranks, std::min(box.rank, max_boxes) + 1);
  }
  return Dims{ranks};
}

Status parse_placement_list(const ChunksArguments& arguments, ChunksDistribution& to) {
  const bool optional =
      arguments.type != "dtensor" && (arguments.type != "sharded" || !arguments.boxes.empty());
  if (arguments.placements.empty() && optional) {
    return {};
  }
  SHARDMARK_ASSIGN_OR_RETURN(to.placements, parse_placements(arguments.placements));
  SHARDMARK_RETURN_IF_ERROR(check_placements(to.shape, to.mesh.shape(), to.placements));
  for (Placement& placement : to.placements) {
    if (cuts(placement) && placement.dim < 0) {
      placement.dim += to.shape.ndim();
    }
  }
  return {};
}

}  // namespace

Result<ChunksDistribution> parse_distribution(const ChunksArguments& arguments) {
  ChunksDistribution to;
  SHARDMARK_RETURN_IF_ERROR(check_options(arguments));
  SHARDMARK_ASSIGN_OR_RETURN(to.shape, parse_extents("--shape", arguments.shape));
  SHARDMARK_RETURN_IF_ERROR(Status(checked_volume(to.shape)));
  SHARDMARK_ASSIGN_OR_RETURN(const Dims mesh_shape, parse_mesh(arguments));
  SHARDMARK_ASSIGN_OR_RETURN(to.mesh, DeviceMesh::row_major(mesh_shape));
  if (to.mesh.size() > max_boxes) {
    return too_many_boxes(to.mesh);
  }
  SHARDMARK_RETURN_IF_ERROR(parse_placement_list(arguments, to));
  const Status made = arguments.type == "dtensor"   ? make_dtensor(to)
                      : arguments.type == "sharded" ? make_sharded(arguments, to)
                      : arguments.type == "flat"    ? make_flat(arguments, to)
                      : arguments.type == "ragged"  ? make_ragged(arguments, to)
                                                    : make_block_cyclic(arguments, to);
  SHARDMARK_RETURN_IF_ERROR(made);
  return to;
}

}  // namespace shardmark::bench
