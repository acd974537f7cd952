// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include "shardmark/core/result.hpp"
#include "shardmark/tensor/block_cyclic.hpp"
#include "shardmark/tensor/dtensor.hpp"
#include "shardmark/tensor/flat_shard.hpp"
#include "shardmark/tensor/grouped_experts.hpp"
#include "shardmark/workload/strategy.hpp"

namespace shardmark {

/// One piece of a rank's memory and the tensors that live in it. Their addresses stay, whichever
/// rank they play: a StateDict may point at them.
class LocalBuffer {
 public:
  virtual ~LocalBuffer() = default;

  /// Local. Bytes of the rank that was placed last.
  virtual std::int64_t num_bytes() const noexcept = 0;

  /// Local. The tensors become `rank`'s, with their elements at `memory`, num_bytes() of them; null
  /// to plan without memory.
  virtual Status place(std::int64_t rank, std::byte* memory) = 0;
};

class DTensorBuffer final : public LocalBuffer {
 public:
  explicit DTensorBuffer(DTensor placed) : tensor(std::move(placed)) {}
  std::int64_t num_bytes() const noexcept override { return tensor.local_num_bytes(); }
  Status place(std::int64_t rank, std::byte* memory) override;

  DTensor tensor;
};

class ExpertsBuffer final : public LocalBuffer {
 public:
  explicit ExpertsBuffer(const TensorLayout& layout) : layout_(layout) {}
  std::int64_t num_bytes() const noexcept override;
  Status place(std::int64_t rank, std::byte* memory) override;

  std::optional<GroupedExperts> tensor;  // from the first place() on

 private:
  TensorLayout layout_;
  std::int64_t rank_ = 0;
};

class BlockCyclicBuffer final : public LocalBuffer {
 public:
  explicit BlockCyclicBuffer(const BlockCyclicLayout& layout) : layout_(layout) {}
  std::int64_t num_bytes() const noexcept override { return tensor->local_num_bytes(); }
  Status place(std::int64_t rank, std::byte* memory) override;

  std::optional<BlockCyclic> tensor;  // from the first place() on

 private:
  BlockCyclicLayout layout_;
};

/// A flat buffer: the flattened concatenation of its tensors' windows, of which each rank along one
/// mesh dimension holds a piece.
class FlatBuffer final : public LocalBuffer {
 public:
  /// Local. One tensor more, at the end; all must have the same mesh, dtype and cut. Good until
  /// place() only for its address.
  Result<FlatShard*> add(const FlatMembership& membership);

  std::int64_t num_bytes() const noexcept override;
  Status place(std::int64_t rank, std::byte* memory) override;

 private:
  struct Member {
    TensorLayout windows;
    FlatShard tensor;
  };

  int cut_dim_ = 0;
  FlatRange held_;
  std::deque<Member> members_;  // stable addresses
};

}  // namespace shardmark
