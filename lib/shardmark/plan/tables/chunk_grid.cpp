// SPDX-License-Identifier: Apache-2.0
#include "shardmark/plan/tables/chunk_grid.hpp"

#include <algorithm>
#include <iterator>
#include <unordered_map>

namespace shardmark {
namespace {

bool cuts(const Placement& placement) noexcept {
  return placement.kind == PlacementKind::shard || placement.kind == PlacementKind::strided_shard;
}

int tensor_dim_of(const Placement& placement, int ndim) noexcept {
  return placement.dim < 0 ? placement.dim + ndim : placement.dim;
}

bool same_grid(const TensorLayout& a, const TensorLayout& b) noexcept {
  return a.global_sizes == b.global_sizes && a.mesh == b.mesh &&
         std::equal(a.placements().begin(), a.placements().end(), b.placements().begin(),
                    b.placements().end());
}

}  // namespace

HolderPattern HolderPattern::of(std::span<const Step> given) {
  std::vector<Step> wide;
  std::copy_if(given.begin(), given.end(), std::back_inserter(wide),
               [](const Step& step) { return step.count > 1; });
  std::sort(wide.begin(), wide.end(),
            [](const Step& a, const Step& b) { return a.stride > b.stride; });
  HolderPattern pattern;
  for (const Step& step : wide) {
    // Two steps that follow each other without a gap are one: equal sets of holders get equal
    // patterns, however their meshes were described.
    if (pattern.num_steps > 0) {
      Step& before = pattern.steps[static_cast<std::size_t>(pattern.num_steps - 1)];
      if (before.stride == step.count * step.stride) {
        before = {before.count * step.count, step.stride};
        continue;
      }
    }
    pattern.steps[static_cast<std::size_t>(pattern.num_steps++)] = step;
  }
  return pattern;
}

HolderPattern HolderPattern::world(std::int64_t world_size) {
  const std::array<Step, 1> all = {{{world_size, 1}}};
  return of(all);
}

std::int64_t HolderPattern::size() const noexcept {
  std::int64_t product = 1;
  for (int i = 0; i < num_steps; ++i) {
    product *= steps[static_cast<std::size_t>(i)].count;
  }
  return product;
}

std::int64_t HolderPattern::rank(std::int64_t base, std::int64_t replica) const noexcept {
  // The last step is the finest: replicas in ascending order of rank.
  for (int i = num_steps - 1; i >= 0; --i) {
    const Step& step = steps[static_cast<std::size_t>(i)];
    base += replica % step.count * step.stride;
    replica /= step.count;
  }
  return base;
}

std::shared_ptr<const ChunkGrid> ChunkGrid::make(const TensorLayout& layout) {
  const auto placements = layout.placements();
  if (!check_placements(layout.global_sizes, layout.mesh.shape(), placements)) {
    return nullptr;
  }
  auto grid = std::make_shared<ChunkGrid>();
  grid->layout_ = layout;
  if (!grid->cut_dimensions()) {
    return nullptr;
  }
  std::vector<HolderPattern::Step> replicated;
  for (int m = 0; m < layout.mesh.ndim(); ++m) {
    if (!cuts(placements[static_cast<std::size_t>(m)])) {
      replicated.push_back({layout.mesh.shape()[m], layout.mesh.strides()[m]});
    }
  }
  grid->holders_ = HolderPattern::of(replicated);
  return grid;
}

bool ChunkGrid::cut_dimensions() {
  const int ndim = layout_.global_sizes.ndim();
  const auto placements = layout_.placements();
  num_chunks_ = whole_box(layout_.global_sizes).empty() ? 0 : 1;
  for (int d = 0; d < ndim; ++d) {
    Dimension dimension;
    dimension.tensor_dim = d;
    std::vector<CutDimension::Cut> found;
    for (int m = 0; m < layout_.mesh.ndim(); ++m) {
      const Placement& placement = placements[static_cast<std::size_t>(m)];
      // A mesh dimension of one part cuts nothing, but a strided one there is kept to the letter.
      if (cuts(placement) && tensor_dim_of(placement, ndim) == d) {
        dimension.mesh_dims[dimension.num_mesh_dims++] = static_cast<std::int8_t>(m);
        found.push_back({layout_.mesh.shape()[m], placement});
      }
    }
    if (found.empty() || num_chunks_ == 0) {
      continue;
    }
    auto cut = CutDimension::make(layout_.global_sizes[d], found);
    if (!cut) {
      return false;
    }
    dimension.cut = std::move(*cut);
    dimensions_.push_back(std::move(dimension));
  }
  // No overflow: a tensor has at most 2^63 elements, and no more chunks.
  for (std::size_t i = dimensions_.size(); i-- > 0;) {
    dimensions_[i].step = num_chunks_;
    num_chunks_ *= dimensions_[i].cut.num_runs();
  }
  return true;
}

Box ChunkGrid::box(std::uint64_t ordinal) const noexcept {
  Box box = whole_box(layout_.global_sizes);
  for (const Dimension& dimension : dimensions_) {
    const CutDimension::Run run = dimension.cut.run(ordinal / dimension.step);
    ordinal %= dimension.step;
    box.offsets[dimension.tensor_dim] = run.start;
    box.sizes[dimension.tensor_dim] = run.length;
  }
  return box;
}

std::int64_t ChunkGrid::base_of(std::uint64_t ordinal) const noexcept {
  Dims coordinate = Dims::filled(layout_.mesh.ndim(), 0);
  for (const Dimension& dimension : dimensions_) {
    std::array<std::int64_t, max_ndim> cell{};
    dimension.cut.cell_of(ordinal / dimension.step, cell);
    ordinal %= dimension.step;
    for (std::size_t i = 0; i < dimension.num_mesh_dims; ++i) {
      coordinate[dimension.mesh_dims[i]] = cell[i];
    }
  }
  return layout_.mesh.rank_at(coordinate);
}

std::optional<ChunkGrid::Place> ChunkGrid::place_of(std::int64_t rank) const noexcept {
  auto coordinate = layout_.mesh.coordinate(rank);
  if (!coordinate) {
    return std::nullopt;
  }
  Place place{*coordinate, 0, 0};
  // The holder with the lowest rank: coordinate 0 in every mesh dimension that only replicates.
  Dims lowest = *coordinate;
  for (int m = 0; m < lowest.ndim(); ++m) {
    if (!cuts(layout_.placements()[static_cast<std::size_t>(m)])) {
      lowest[m] = 0;
    }
  }
  place.base = layout_.mesh.rank_at(lowest);
  std::int64_t rest = rank - place.base;
  for (int i = 0; i < holders_.num_steps; ++i) {
    const HolderPattern::Step& step = holders_.steps[static_cast<std::size_t>(i)];
    place.replica = place.replica * step.count + rest / step.stride;
    rest %= step.stride;
  }
  return place;
}

struct GridCache::State {
  std::unordered_multimap<std::uint64_t, std::shared_ptr<const ChunkGrid>> grids;
  std::shared_ptr<const ChunkGrid> last;
};

GridCache::GridCache() : state_(std::make_unique<State>()) {}
GridCache::~GridCache() = default;

std::shared_ptr<const ChunkGrid> GridCache::get(const TensorLayout& layout) {
  // Neighbours in a model have the same shape more often than not.
  if (state_->last != nullptr && same_grid(state_->last->layout(), layout)) {
    return state_->last;
  }
  const std::uint64_t hash = layout_hash(layout);
  const auto [begin, end] = state_->grids.equal_range(hash);
  for (auto at = begin; at != end; ++at) {
    if (same_grid(at->second->layout(), layout)) {
      return state_->last = at->second;
    }
  }
  auto made = ChunkGrid::make(layout);
  if (made != nullptr) {
    state_->grids.emplace(hash, made);
    state_->last = made;
  }
  return made;
}

std::uint64_t layout_hash(const TensorLayout& layout) noexcept {
  std::uint64_t hash = 0x9E3779B97F4A7C15ULL;
  const auto mix = [&hash](std::int64_t value) {
    hash = (hash ^ static_cast<std::uint64_t>(value)) * 0xBF58476D1CE4E5B9ULL;
    hash ^= hash >> 31;
  };
  const auto mix_dims = [&mix](const Dims& dims) {
    mix(dims.ndim());
    for (const std::int64_t value : dims) {
      mix(value);
    }
  };
  mix_dims(layout.global_sizes);
  mix_dims(layout.mesh.shape());
  mix_dims(layout.mesh.strides());
  mix(layout.mesh.first_rank());
  for (const Placement& placement : layout.placements()) {
    mix(static_cast<std::int64_t>(placement.kind));
    mix(placement.dim);
    mix(placement.split_factor);
  }
  return hash;
}

}  // namespace shardmark
