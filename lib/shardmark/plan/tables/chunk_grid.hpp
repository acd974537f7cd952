// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "shardmark/core/box.hpp"
#include "shardmark/plan/tables/cut_dimension.hpp"
#include "shardmark/protocol/tensor_layout.hpp"

namespace shardmark {

/// A set of ranks that hold the same chunks: `base` plus all sums of steps. Steps of more than one,
/// widest first, neighbours that run on merged: equal sets are equal values.
struct HolderPattern {
  struct Step {
    std::int64_t count = 1;
    std::int64_t stride = 1;
    friend bool operator==(const Step&, const Step&) = default;
  };
  std::array<Step, max_ndim> steps{};
  int num_steps = 0;

  /// Local. `steps` in any order; merged and sorted.
  static HolderPattern of(std::span<const Step> steps);
  /// Local. All ranks of a world.
  static HolderPattern world(std::int64_t world_size);

  std::int64_t size() const noexcept;
  /// The holder at place `replica`, ascending in rank.
  std::int64_t rank(std::int64_t base, std::int64_t replica) const noexcept;

  friend bool operator==(const HolderPattern&, const HolderPattern&) = default;
};

/// All stored chunks of a tensor that has a layout, by arithmetic: their number, boxes, ordinals
/// (row-major order of offsets) and holders, none of them listed. Immutable.
class ChunkGrid {
 public:
  /// Local. Null where no arithmetic applies: a Partial placement, which no hook accepts, or a
  /// strided one with millions of runs.
  static std::shared_ptr<const ChunkGrid> make(const TensorLayout& layout);

  const TensorLayout& layout() const noexcept { return layout_; }
  std::uint64_t num_chunks() const noexcept { return num_chunks_; }
  Box box(std::uint64_t ordinal) const noexcept;

  /// Who holds any of its chunks, but for the base.
  const HolderPattern& holders() const noexcept { return holders_; }
  /// The lowest holder of a chunk.
  std::int64_t base_of(std::uint64_t ordinal) const noexcept;

  /// A rank's place: which chunks it holds, and as which replica of them.
  struct Place {
    Dims coordinate;
    std::int64_t base = 0;
    std::int64_t replica = 0;
  };
  /// Nothing for a rank outside the mesh.
  std::optional<Place> place_of(std::int64_t rank) const noexcept;

  /// Local. Calls `take(ordinal, box)` for the chunks of a place, ascending.
  template <typename Take>
  void for_each_chunk_at(const Dims& coordinate, const Take& take) const {
    if (num_chunks_ == 0) {
      return;
    }
    visit_cell(0, coordinate, 0, whole_box(layout_.global_sizes), take);
  }

  /// Local. Calls `take(ordinal, chunk's box, common part)` for every chunk that a box inside the
  /// tensor meets, ascending. Cost grows with what is found.
  template <typename Take>
  void for_each_overlap(const Box& box, const Take& take) const {
    if (num_chunks_ == 0 || box.empty()) {
      return;
    }
    visit_overlap(0, box, 0, whole_box(layout_.global_sizes), box, take);
  }

 private:
  struct Dimension {
    CutDimension cut;
    std::array<std::int8_t, max_ndim> mesh_dims{};  // that cut it
    std::size_t num_mesh_dims = 0;
    int tensor_dim = 0;
    std::uint64_t step = 1;  // of ordinals, from run to run
  };

  bool cut_dimensions();

  template <typename Take>
  void visit_cell(std::size_t d, const Dims& coordinate, std::uint64_t ordinal, Box box,
                  const Take& take) const {
    if (d == dimensions_.size()) {
      take(ordinal, box);
      return;
    }
    const Dimension& dimension = dimensions_[d];
    std::array<std::int64_t, max_ndim> cell{};
    for (std::size_t i = 0; i < dimension.num_mesh_dims; ++i) {
      cell[i] = coordinate[dimension.mesh_dims[i]];
    }
    dimension.cut.for_each_run_of(
        std::span<const std::int64_t>(cell), [&](std::uint64_t run, const CutDimension::Run& part) {
          box.offsets[dimension.tensor_dim] = part.start;
          box.sizes[dimension.tensor_dim] = part.length;
          visit_cell(d + 1, coordinate, ordinal + run * dimension.step, box, take);
        });
  }

  template <typename Take>
  void visit_overlap(std::size_t d, const Box& wanted, std::uint64_t ordinal, Box stored,
                     Box common, const Take& take) const {
    if (d == dimensions_.size()) {
      take(ordinal, stored, common);
      return;
    }
    const Dimension& dimension = dimensions_[d];
    const int at = dimension.tensor_dim;
    const std::int64_t end = wanted.offsets[at] + wanted.sizes[at];
    const std::uint64_t last = dimension.cut.run_at(end - 1);
    for (std::uint64_t run = dimension.cut.run_at(wanted.offsets[at]); run <= last; ++run) {
      const CutDimension::Run part = dimension.cut.run(run);
      stored.offsets[at] = part.start;
      stored.sizes[at] = part.length;
      common.offsets[at] = std::max(wanted.offsets[at], part.start);
      common.sizes[at] = std::min(end, part.start + part.length) - common.offsets[at];
      visit_overlap(d + 1, wanted, ordinal + run * dimension.step, stored, common, take);
    }
  }

  TensorLayout layout_;
  std::vector<Dimension> dimensions_;  // those that are cut, outermost first
  HolderPattern holders_;
  std::uint64_t num_chunks_ = 0;
};

/// Grids by layout: thousands of tensors share a few shapes and meshes. The dtype is no part of it.
class GridCache {
 public:
  GridCache();
  ~GridCache();
  GridCache(const GridCache&) = delete;
  GridCache& operator=(const GridCache&) = delete;

  /// Local. As ChunkGrid::make(), made once; the same pointer for the same grid.
  std::shared_ptr<const ChunkGrid> get(const TensorLayout& layout);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Local. A hash of sizes, mesh and placements (not the dtype), the same in every process.
std::uint64_t layout_hash(const TensorLayout& layout) noexcept;

}  // namespace shardmark
