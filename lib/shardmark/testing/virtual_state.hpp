// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "shardmark/protocol/state_dict.hpp"
#include "shardmark/tensor/dtensor.hpp"
#include "shardmark/testing/box_tensor.hpp"
#include "shardmark/testing/random_source.hpp"

namespace shardmark::testing {

/// A random state dict of a virtual world, one rank of it at a time: tensors with a layout on
/// random meshes, tensors without one, objects. Knows by brute force what each rank holds.
class VirtualState {
 public:
  /// `mixed` adds tensors that no layout describes.
  VirtualState(RandomSource& random, int world_size, int num_tensors, bool mixed)
      : world_size_(world_size) {
    for (int i = 0; i < num_tensors; ++i) {
      add_tensor(random, "t" + std::to_string(random.number(1000)) + "." + std::to_string(i));
    }
    for (int i = 0; mixed && i < 2; ++i) {
      add_boxes(random, "boxes." + std::to_string(i));
    }
    for (int i = 0; i < 2; ++i) {
      objects_.emplace_back(static_cast<std::size_t>(random.number(20)));
      const std::string fqn = "object." + std::to_string(i);
      EXPECT_TRUE(state.add_object(fqn, std::span(objects_.back())));
      const Box whole = whole_box({static_cast<std::int64_t>(objects_.back().size())});
      for (int rank = 0; rank < world_size_ && !whole.empty(); ++rank) {
        holders_[{fqn, whole}].push_back(rank);
      }
    }
    move_to(0);
  }

  void move_to(int rank) {
    for (DTensor& tensor : tensors_) {
      EXPECT_TRUE(tensor.move_to_rank(rank));
    }
    for (std::size_t i = 0; i < boxes_.size(); ++i) {
      boxes_[i].boxes = boxes_of_rank_[i][static_cast<std::size_t>(rank)];
    }
  }

  using Key = std::pair<std::string, Box>;
  /// Who holds each stored chunk, ranks ascending; found rank by rank from the shard rule.
  const std::map<Key, std::vector<int>>& holders() const { return holders_; }
  int world_size() const { return world_size_; }

  StateDict state;

 private:
  /// A mesh of `ndim` dimensions somewhere in the world.
  DeviceMesh random_mesh(RandomSource& random) {
    while (true) {
      const Dims shape = random.sizes(static_cast<int>(1 + random.number(3)), 1, world_size_);
      const std::int64_t size = volume(shape);
      if (size > world_size_) {
        continue;
      }
      std::int64_t step = 1 + random.number(world_size_ / size);
      const std::int64_t reach = (size - 1) * step;
      if (reach >= world_size_) {
        step = 1;
      }
      Dims strides = row_major_strides(shape);
      for (std::int64_t& stride : strides) {
        stride *= step;
      }
      const std::int64_t first = random.number(world_size_ - (size - 1) * step);
      // Now and then the other way round: the first mesh dimension fastest.
      if (random.one_in(3)) {
        std::int64_t stride = step;
        for (int d = 0; d < shape.ndim(); ++d) {
          strides[d] = stride;
          stride *= shape[d];
        }
      }
      return *DeviceMesh::strided(shape, strides, random.one_in(2) ? 0 : first);
    }
  }

  void add_tensor(RandomSource& random, const std::string& fqn) {
    const DeviceMesh mesh = random_mesh(random);
    const auto ndim = static_cast<int>(random.number(4));
    std::vector<Placement> placements;
    for (int m = 0; m < mesh.ndim(); ++m) {
      const std::int64_t kind = ndim == 0 ? 0 : random.number(4);
      const auto dim = ndim == 0 ? 0 : static_cast<std::int32_t>(random.number(ndim));
      placements.push_back(kind < 2    ? Placement::replicate()
                           : kind == 2 ? Placement::shard(dim)
                                       : Placement::strided_shard(dim, 1 + random.number(4)));
    }
    const Dtype dtype = random.one_in(2) ? Dtype::bfloat16 : Dtype::float32;
    const TensorLayout layout =
        *make_tensor_layout(random.sizes(ndim, 0, 24), dtype, mesh, placements);
    const TensorView none =
        contiguous_view<std::byte>(nullptr, dtype, *DTensor::local_sizes(layout, 0));
    tensors_.push_back(*DTensor::from_local(none, layout, 0));
    EXPECT_TRUE(state.add(fqn, tensors_.back()));
    for (int rank = 0; rank < world_size_; ++rank) {
      const auto at = mesh.coordinate(rank);
      if (!at) {
        continue;
      }
      const auto shard =
          compute_local_shard(layout.global_sizes, mesh.shape(), *at, layout.placements());
      for (const LocalBox& part : shard->boxes) {
        if (!part.box.empty()) {
          holders_[{fqn, part.box}].push_back(rank);
        }
      }
    }
  }

  /// Random boxes, each held by a random set of ranks.
  void add_boxes(RandomSource& random, const std::string& fqn) {
    BoxTensor tensor{random.sizes(static_cast<int>(1 + random.number(3)), 1, 16), Dtype::int32, {}};
    std::vector<std::vector<Box>> of_rank(static_cast<std::size_t>(world_size_));
    for (const Box& box : random.tiling(tensor.global_sizes, 3)) {
      for (int n = 0; n < 1 + random.number(3); ++n) {
        const std::size_t rank = random.index(static_cast<std::size_t>(world_size_));
        auto& mine = of_rank[rank];
        if (std::find(mine.begin(), mine.end(), box) == mine.end()) {
          mine.push_back(box);
          holders_[{fqn, box}].push_back(static_cast<int>(rank));
        }
      }
      std::sort(holders_[{fqn, box}].begin(), holders_[{fqn, box}].end());
    }
    boxes_of_rank_.push_back(std::move(of_rank));
    boxes_.push_back(std::move(tensor));
    EXPECT_TRUE(state.add(fqn, boxes_.back()));
  }

  int world_size_;
  std::deque<DTensor> tensors_;
  std::deque<BoxTensor> boxes_;
  std::vector<std::vector<std::vector<Box>>> boxes_of_rank_;
  std::deque<std::vector<std::byte>> objects_;
  std::map<Key, std::vector<int>> holders_;
};

}  // namespace shardmark::testing
