// SPDX-License-Identifier: Apache-2.0
#include "shardmark/plan/tables/cut_dimension.hpp"

#include <algorithm>
#include <array>
#include <numeric>

#include "shardmark/protocol/shard_rule.hpp"

namespace shardmark {
namespace {

/// Most entries of a table, runs and cells: bounds what a damaged manifest can ask for.
constexpr std::int64_t max_table = std::int64_t{1} << 22;

/// Length of all parts but the last of torch.chunk's rule.
std::int64_t full_part(std::int64_t extent, std::int64_t parts) noexcept {
  return extent / parts + (extent % parts != 0 ? 1 : 0);
}

}  // namespace

std::optional<CutDimension> CutDimension::make(std::int64_t extent, std::span<const Cut> cuts) {
  CutDimension dimension;
  dimension.extent_ = extent;
  for (const Cut& cut : cuts) {
    dimension.parts_.push_back(cut.parts);
  }
  if (dimension.use_levels(cuts)) {
    dimension.num_runs_ = dimension.count(extent, 0);
    return dimension;
  }
  if (!dimension.use_table(cuts)) {
    return std::nullopt;
  }
  dimension.num_runs_ = dimension.table_->runs.size();
  return dimension;
}

bool CutDimension::use_levels(std::span<const Cut> cuts) {
  const auto is_plain = [](const Cut& cut) { return cut.placement.kind == PlacementKind::shard; };
  const auto is_strided = [](const Cut& cut) {
    return cut.placement.kind == PlacementKind::strided_shard;
  };
  // One piece is no stride, and of equal pieces, as many as the next mesh dimension has parts, that
  // dimension takes one each: it cuts first and this one second.
  for (std::size_t i = 0; i < cuts.size(); ++i) {
    if (is_plain(cuts[i]) || (is_strided(cuts[i]) && cuts[i].placement.split_factor == 1)) {
      levels_.push_back({cuts[i].parts, i});
      continue;
    }
    const bool pairs = i == 0 && cuts.size() >= 2 && is_plain(cuts[1]) &&
                       cuts[0].placement.split_factor == cuts[1].parts &&
                       extent_ % cuts[1].parts == 0;
    if (!pairs) {
      levels_.clear();
      return false;
    }
    levels_.push_back({cuts[1].parts, 1});
    levels_.push_back({cuts[0].parts, 0});
    ++i;
  }
  return true;
}

bool CutDimension::use_table(std::span<const Cut> cuts) {
  std::int64_t cells = 1;
  std::int64_t pieces = 1;
  Dims mesh_shape = Dims::filled(static_cast<int>(cuts.size()), 0);
  std::vector<Placement> placements;
  for (std::size_t i = 0; i < cuts.size(); ++i) {
    if (cuts[i].parts > max_table / cells ||
        std::min(cuts[i].placement.split_factor, std::max<std::int64_t>(extent_, 1)) >
            max_table / pieces) {
      return false;
    }
    cells *= cuts[i].parts;
    pieces *= std::min(cuts[i].placement.split_factor, std::max<std::int64_t>(extent_, 1));
    mesh_shape[static_cast<int>(i)] = cuts[i].parts;
    Placement placement = cuts[i].placement;
    placement.dim = 0;
    placements.push_back(placement);
  }
  if (cells > max_table / pieces) {
    return false;
  }
  auto table = std::make_shared<Table>();
  std::vector<std::pair<std::int64_t, std::uint32_t>> order;  // start, position in `runs`
  Dims at = Dims::filled(mesh_shape.ndim(), 0);
  LocalShard shard;
  for (std::uint32_t cell = 0; cell < static_cast<std::uint32_t>(cells); ++cell) {
    std::int64_t rest = cell;
    for (int d = mesh_shape.ndim() - 1; d >= 0; --d) {
      at[d] = rest % mesh_shape[d];
      rest /= mesh_shape[d];
    }
    recompute_local_shard(Dims{extent_}, mesh_shape, at, placements, shard);
    for (const LocalBox& part : shard.boxes) {
      if (!part.box.empty()) {
        order.emplace_back(part.box.offsets[0], static_cast<std::uint32_t>(table->runs.size()));
        table->runs.push_back({part.box.offsets[0], part.box.sizes[0]});
        table->cells.push_back(cell);
      }
    }
  }
  std::sort(order.begin(), order.end());
  Table sorted;
  sorted.first_of_cell.assign(static_cast<std::size_t>(cells) + 1, 0);
  for (const auto& [start, position] : order) {
    sorted.runs.push_back(table->runs[position]);
    sorted.cells.push_back(table->cells[position]);
    ++sorted.first_of_cell[table->cells[position] + 1];
  }
  std::partial_sum(sorted.first_of_cell.begin(), sorted.first_of_cell.end(),
                   sorted.first_of_cell.begin());
  std::vector<std::uint64_t> next(sorted.first_of_cell.begin(), sorted.first_of_cell.end() - 1);
  sorted.ordinals.resize(sorted.runs.size());
  for (std::uint32_t ordinal = 0; ordinal < sorted.runs.size(); ++ordinal) {
    sorted.ordinals[next[sorted.cells[ordinal]]++] = ordinal;
  }
  *table = std::move(sorted);
  table_ = std::move(table);
  return true;
}

std::uint64_t CutDimension::count(std::int64_t extent, std::size_t level) const noexcept {
  if (extent == 0 || level == levels_.size()) {
    return extent == 0 ? 0 : 1;
  }
  const std::int64_t full = full_part(extent, levels_[level].parts);
  const std::int64_t rest = extent % full;
  return static_cast<std::uint64_t>(extent / full) * count(full, level + 1) +
         (rest == 0 ? 0 : count(rest, level + 1));
}

CutDimension::Run CutDimension::run(std::uint64_t ordinal) const noexcept {
  if (table_ != nullptr) {
    return table_->runs[ordinal];
  }
  Run found{0, extent_};
  for (std::size_t level = 0; level < levels_.size(); ++level) {
    const std::int64_t full = full_part(found.length, levels_[level].parts);
    const std::uint64_t runs = count(full, level + 1);
    // The last, short part may have more runs than a full one: 9 over 2x4 is 2 2 1, 1 1 1 1.
    const std::int64_t part =
        std::min(static_cast<std::int64_t>(ordinal / runs), found.length / full);
    ordinal -= static_cast<std::uint64_t>(part) * runs;
    found = {found.start + part * full, std::min(full, found.length - part * full)};
  }
  return found;
}

std::uint64_t CutDimension::run_at(std::int64_t index) const noexcept {
  if (table_ != nullptr) {
    const auto after =
        std::upper_bound(table_->runs.begin(), table_->runs.end(), index,
                         [](std::int64_t value, const Run& run) { return value < run.start; });
    return static_cast<std::uint64_t>(after - table_->runs.begin()) - 1;
  }
  std::uint64_t ordinal = 0;
  std::int64_t length = extent_;
  for (std::size_t level = 0; level < levels_.size(); ++level) {
    const std::int64_t full = full_part(length, levels_[level].parts);
    const std::int64_t part = index / full;
    ordinal += static_cast<std::uint64_t>(part) * count(full, level + 1);
    index -= part * full;
    length = std::min(full, length - part * full);
  }
  return ordinal;
}

void CutDimension::cell_of(std::uint64_t ordinal, std::span<std::int64_t> cell) const noexcept {
  if (table_ != nullptr) {
    std::int64_t rest = table_->cells[ordinal];
    for (std::size_t i = parts_.size(); i-- > 0;) {
      cell[i] = rest % parts_[i];
      rest /= parts_[i];
    }
    return;
  }
  std::int64_t length = extent_;
  for (std::size_t level = 0; level < levels_.size(); ++level) {
    const std::int64_t full = full_part(length, levels_[level].parts);
    const std::uint64_t runs = count(full, level + 1);
    const std::int64_t part = std::min(static_cast<std::int64_t>(ordinal / runs), length / full);
    ordinal -= static_cast<std::uint64_t>(part) * runs;
    length = std::min(full, length - part * full);
    cell[levels_[level].cut] = part;
  }
}

CutDimension::Run CutDimension::nested_run(std::span<const std::int64_t> cell,
                                           std::uint64_t& ordinal) const noexcept {
  Run found{0, extent_};
  for (std::size_t level = 0; level < levels_.size() && found.length > 0; ++level) {
    const std::int64_t full = full_part(found.length, levels_[level].parts);
    const std::int64_t part = cell[levels_[level].cut];
    // part < parts, so that part * full stays below length + parts.
    const std::int64_t start = std::min(part * full, found.length);
    if (start < found.length) {
      ordinal += static_cast<std::uint64_t>(part) * count(full, level + 1);
    }
    found = {found.start + start, std::min(full, found.length - start)};
  }
  return found;
}

std::uint64_t CutDimension::cell_number(std::span<const std::int64_t> cell) const noexcept {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    number = number * static_cast<std::uint64_t>(parts_[i]) + static_cast<std::uint64_t>(cell[i]);
  }
  return number;
}

}  // namespace shardmark
