// SPDX-License-Identifier: Apache-2.0
#include "shardmark/protocol/shard_rule.hpp"

#include <fmt/format.h>

#include <array>

namespace shardmark {
namespace {

/// Consecutive global indices [start, start + length) of one tensor dimension.
struct Run {
  std::int64_t start;
  std::int64_t length;
};

std::int64_t total_length(const std::vector<Run>& runs) {
  std::int64_t total = 0;
  for (const Run& run : runs) {
    total += run.length;
  }
  return total;
}

struct Part {
  std::int64_t start;
  std::int64_t length;
};

/// torch.chunk's rule: part `r` of `n` entries over `m`.
Part chunk_part(std::int64_t n, std::int64_t m, std::int64_t r) {
  const std::int64_t full = n / m + (n % m != 0 ? 1 : 0);
  // full * r cannot overflow: r < m, so it is below n + m.
  const std::int64_t start = std::min(full * r, n);
  return {start, std::min(full, n - start)};
}

/// Appends positions [from, from + length) of what `runs` list, merging runs that touch.
void append_positions(const std::vector<Run>& runs, Part part, std::vector<Run>& out) {
  std::int64_t position = 0;
  for (const Run& run : runs) {
    const std::int64_t low = std::max(part.start, position);
    const std::int64_t high = std::min(part.start + part.length, position + run.length);
    if (low < high) {
      const std::int64_t start = run.start + (low - position);
      if (!out.empty() && out.back().start + out.back().length == start) {
        out.back().length += high - low;
      } else {
        out.push_back({start, high - low});
      }
    }
    position += run.length;
    if (position >= part.start + part.length) {
      break;
    }
  }
}

std::vector<Run> apply(const std::vector<Run>& runs, const Placement& placement, std::int64_t m,
                       std::int64_t r) {
  const std::int64_t n = total_length(runs);
  std::vector<Run> picked;
  constexpr std::int64_t usual_pieces = 64;
  picked.reserve(static_cast<std::size_t>(std::min(placement.split_factor, usual_pieces)));
  if (placement.kind == PlacementKind::shard) {
    append_positions(runs, chunk_part(n, m, r), picked);
    return picked;
  }
  // Pieces past the last entry are empty: no need to visit more than n of them.
  const std::int64_t pieces = std::min(placement.split_factor, std::max<std::int64_t>(n, 1));
  // All pieces but the last have one length: divisions only where it changes.
  const std::int64_t full = chunk_part(n, placement.split_factor, 0).length;
  std::int64_t length = 0;
  Part cut{};
  std::int64_t start = 0;
  for (std::int64_t k = 0; k < pieces; ++k) {
    if (length != std::min(full, n - start)) {
      length = std::min(full, n - start);
      cut = chunk_part(length, m, r);
    }
    append_positions(runs, {start + cut.start, cut.length}, picked);
    if (n - start <= full) {
      break;
    }
    start += full;
  }
  return picked;
}

int normalised(std::int32_t dim, int ndim) {
  return dim < 0 ? dim + ndim : dim;
}

/// The product of the runs of all dimensions, in row-major order of offsets.
void append_boxes(std::span<const std::vector<Run>> runs, LocalShard& shard) {
  const int ndim = static_cast<int>(runs.size());
  std::array<std::size_t, max_ndim> at{};
  Dims local = Dims::filled(ndim, 0);
  while (true) {
    LocalBox part;
    part.box = whole_box(Dims::filled(ndim, 0));
    for (int d = 0; d < ndim; ++d) {
      const Run& run = runs[static_cast<std::size_t>(d)][at[static_cast<std::size_t>(d)]];
      part.box.offsets[d] = run.start;
      part.box.sizes[d] = run.length;
    }
    part.local_offsets = local;
    shard.boxes.push_back(part);
    int d = ndim - 1;
    for (; d >= 0; --d) {
      const auto i = static_cast<std::size_t>(d);
      local[d] += runs[i][at[i]].length;
      if (++at[i] < runs[i].size()) {
        break;
      }
      at[i] = 0;
      local[d] = 0;
    }
    if (d < 0) {
      return;
    }
  }
}

/// The general rule, for strided placements: lists of runs.
void pick_runs(const Dims& global_sizes, const Dims& mesh_shape, const Dims& coordinate,
               std::span<const Placement> placements, LocalShard& shard) {
  const int ndim = global_sizes.ndim();
  shard.local_sizes = global_sizes;
  shard.global_offset = Dims::filled(ndim, 0);
  std::array<std::vector<Run>, max_ndim> runs;
  for (int d = 0; d < ndim; ++d) {
    if (global_sizes[d] > 0) {
      runs[static_cast<std::size_t>(d)] = {{0, global_sizes[d]}};
    }
  }
  for (int m = 0; m < mesh_shape.ndim(); ++m) {
    const Placement& placement = placements[static_cast<std::size_t>(m)];
    if (placement.kind == PlacementKind::replicate) {
      continue;
    }
    auto& held = runs[static_cast<std::size_t>(normalised(placement.dim, ndim))];
    held = apply(held, placement, mesh_shape[m], coordinate[m]);
  }
  bool empty = false;
  for (int d = 0; d < ndim; ++d) {
    const auto& held = runs[static_cast<std::size_t>(d)];
    shard.local_sizes[d] = total_length(held);
    shard.global_offset[d] = held.empty() ? global_sizes[d] : held.front().start;
    empty = empty || held.empty();
  }
  if (empty) {
    shard.boxes.push_back({{shard.global_offset, shard.local_sizes}, Dims::filled(ndim, 0)});
    return;
  }
  append_boxes({runs.data(), static_cast<std::size_t>(ndim)}, shard);
}

}  // namespace

Status check_placements(const Dims& global_sizes, const Dims& mesh_shape,
                        std::span<const Placement> placements) {
  if (placements.size() != mesh_shape.size()) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("{} placements for a mesh of {} dimensions {}", placements.size(),
                             mesh_shape.size(), to_string(mesh_shape))};
  }
  SHARDMARK_RETURN_IF_ERROR(checked_volume(global_sizes));
  for (const Placement& placement : placements) {
    if (placement.kind == PlacementKind::partial) {
      return Error{ErrorCode::invalid_argument,
                   "partial placement cannot be checkpointed: no rank holds the values"};
    }
    if (placement.kind == PlacementKind::replicate) {
      continue;
    }
    const int dim = normalised(placement.dim, global_sizes.ndim());
    if (dim < 0 || dim >= global_sizes.ndim()) {
      return Error{
          ErrorCode::invalid_argument,
          fmt::format("placement {}: shard dimension outside the tensor {} of {} dimensions",
                      to_string(placement), to_string(global_sizes), global_sizes.ndim())};
    }
    if (placement.split_factor < 1) {
      return Error{ErrorCode::invalid_argument,
                   fmt::format("placement {}: split factor below 1", to_string(placement))};
    }
  }
  return {};
}

Result<LocalShard> compute_local_shard(const Dims& global_sizes, const Dims& mesh_shape,
                                       const Dims& coordinate,
                                       std::span<const Placement> placements) {
  SHARDMARK_RETURN_IF_ERROR(check_placements(global_sizes, mesh_shape, placements));
  bool inside = coordinate.ndim() == mesh_shape.ndim();
  for (int m = 0; inside && m < mesh_shape.ndim(); ++m) {
    inside = coordinate[m] >= 0 && coordinate[m] < mesh_shape[m];
  }
  if (!inside) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("coordinate {} is outside the mesh {}", to_string(coordinate),
                             to_string(mesh_shape))};
  }
  LocalShard shard;
  recompute_local_shard(global_sizes, mesh_shape, coordinate, placements, shard);
  return shard;
}

void recompute_local_shard(const Dims& global_sizes, const Dims& mesh_shape, const Dims& coordinate,
                           std::span<const Placement> placements, LocalShard& shard) {
  const bool strided = std::any_of(placements.begin(), placements.end(), [](const Placement& p) {
    return p.kind == PlacementKind::strided_shard;
  });
  if (strided) {
    shard.boxes.clear();
    pick_runs(global_sizes, mesh_shape, coordinate, placements, shard);
    return;
  }
  const int ndim = global_sizes.ndim();
  shard.boxes.resize(1);
  auto& [offsets, sizes] = shard.boxes.front().box;
  offsets = Dims::filled(ndim, 0);
  sizes = global_sizes;
  for (int m = 0; m < mesh_shape.ndim(); ++m) {
    const Placement& placement = placements[static_cast<std::size_t>(m)];
    if (placement.kind == PlacementKind::shard) {
      const int d = normalised(placement.dim, ndim);
      const Part part = chunk_part(sizes[d], mesh_shape[m], coordinate[m]);
      offsets[d] += part.start;
      sizes[d] = part.length;
    }
  }
  for (int d = 0; d < ndim; ++d) {
    offsets[d] = sizes[d] == 0 ? global_sizes[d] : offsets[d];
  }
  shard.boxes.front().local_offsets = Dims::filled(ndim, 0);
  shard.local_sizes = sizes;
  shard.global_offset = offsets;
}

}  // namespace shardmark
