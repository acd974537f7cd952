// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "shardmark/core/tensor_view.hpp"
#include "shardmark/protocol/checkpointable.hpp"
#include "shardmark/protocol/content_mark.hpp"
#include "shardmark/protocol/device_mesh.hpp"

namespace shardmark {

/// A block-cyclic distribution in a few words, the same on every rank: dimension d of the tensor is
/// cut into blocks of `block_sizes[d]`, the last one short, and dealt in turn to the processes
/// along dimension `grid_dims[d]` of the grid, `source[d]` first; -1 leaves the dimension whole.
/// Grid dimensions that no tensor dimension names hold replicas.
struct BlockCyclicLayout {
  Dims global_sizes;
  Dtype dtype = Dtype::float64;
  DeviceMesh grid;
  Dims block_sizes;
  Dims grid_dims;  // one a tensor dimension: 0 to grid.ndim() - 1, none twice; or -1
  Dims source;     // ScaLAPACK's RSRC and CSRC; 0 where grid_dims is -1

  friend bool operator==(const BlockCyclicLayout&, const BlockCyclicLayout&) = default;
};

/// Local. Errors: invalid_argument for lists of different lengths, a block size below 1, a grid
/// dimension outside the grid or named twice, a source outside its grid dimension.
Status check_layout(const BlockCyclicLayout& layout);

/// One rank's part of a block-cyclic tensor. The local tensor holds the rank's blocks side by side
/// in every dimension, as ScaLAPACK's local arrays do; each block is a box. Boxes are computed when
/// asked for: one object takes the same few words however many blocks there are.
/// Source: ScaLAPACK's array descriptor and NUMROC.
class BlockCyclic {
 public:
  /// Local. `local` holds the elements in any strides (ScaLAPACK's own are column-major with a
  /// leading dimension); `data` may be null to plan without memory. Errors: those of
  /// check_layout(); invalid_argument if sizes or dtype are not what the layout implies.
  static Result<BlockCyclic> from_local(const TensorView& local, const BlockCyclicLayout& layout,
                                        std::int64_t rank);

  /// Local. Extents of `rank`'s local tensor (NUMROC); all zero outside the grid.
  static Dims local_sizes(const BlockCyclicLayout& layout, std::int64_t rank);

  /// Row-major order of offsets; ranks without elements list nothing. Of a tensor without elements
  /// the ranks of the grid list the whole.
  std::vector<WriteItem> create_write_items(std::string_view fqn) const;
  std::vector<ChunkStorageMetadata> create_chunk_list() const;
  /// By arithmetic: no search, the hint is not needed. Errors: invalid_argument without an offset,
  /// not_found for one at which no block of this rank starts.
  Result<ConstTensorView> get_tensor_shard(const MetadataIndex& index) const;
  Result<TensorView> get_tensor_shard(const MetadataIndex& index);

  std::int64_t local_num_bytes() const noexcept { return outside_ ? 0 : local_.num_bytes(); }
  const ContentMark& content_mark() const noexcept { return mark_; }

 private:
  BlockCyclic(const TensorView& local, const BlockCyclicLayout& layout)
      : local_(local), layout_(layout) {}

  bool without_elements() const noexcept;
  std::int64_t num_blocks() const noexcept;
  Box block_at(const Dims& position) const noexcept;
  template <typename Take>
  void for_each_block(const Take& take) const;
  Result<TensorView> find(const MetadataIndex& index) const;

  TensorView local_;
  BlockCyclicLayout layout_;
  Dims turn_;    // this rank's place in the deal, per dimension
  Dims parts_;   // processes that a dimension is dealt to
  Dims blocks_;  // this rank's blocks, per dimension
  bool outside_ = true;
  [[no_unique_address]] ContentMark mark_;
};

static_assert(Checkpointable<BlockCyclic>);

}  // namespace shardmark
