// SPDX-License-Identifier: Apache-2.0
#include "shardmark/tensor/sharded_tensor.hpp"

#include <fmt/format.h>

#include "shardmark/core/cover.hpp"

namespace shardmark {
namespace {

Error defect_error(const Dims& sizes, const CoverDefect& defect, std::span<const OwnedBox> boxes) {
  const auto named = [&](std::size_t i) {
    return fmt::format("{} of rank {}", to_string(boxes[i].box), boxes[i].rank);
  };
  switch (defect.kind) {
    case CoverDefect::Kind::out_of_bounds:
      return {ErrorCode::invalid_argument, fmt::format("box {} is out of bounds of a tensor {}",
                                                       named(defect.box), to_string(sizes))};
    case CoverDefect::Kind::overlap:
      return {ErrorCode::invalid_argument,
              fmt::format("boxes {} and {} overlap at {}", named(defect.box),
                          named(defect.other_box), to_string(defect.at))};
    case CoverDefect::Kind::hole:
      break;
  }
  return {ErrorCode::invalid_argument, fmt::format("no box holds element {} of a tensor {}",
                                                   to_string(defect.at), to_string(sizes))};
}

}  // namespace

Result<ShardingSpec> ShardingSpec::make(const Dims& global_sizes, std::vector<OwnedBox> boxes) {
  SHARDMARK_RETURN_IF_ERROR(Status(checked_volume(global_sizes)));
  for (const OwnedBox& owned : boxes) {
    if (owned.box.offsets.ndim() != global_sizes.ndim() ||
        owned.box.sizes.ndim() != global_sizes.ndim()) {
      return Error{ErrorCode::invalid_argument,
                   fmt::format("box {} has not the {} dimensions of the tensor {}",
                               to_string(owned.box), global_sizes.ndim(), to_string(global_sizes))};
    }
    if (owned.rank < 0) {
      return Error{ErrorCode::invalid_argument,
                   fmt::format("box {} belongs to rank {}", to_string(owned.box), owned.rank)};
    }
  }
  // Bounds first, of empty boxes too; then only those that hold elements must tile the tensor.
  std::vector<Box> plain;
  for (int pass = 0; pass < 2; ++pass) {
    plain.clear();
    for (const OwnedBox& owned : boxes) {
      plain.push_back(owned.box);
    }
    const auto defect = find_cover_defect(global_sizes, plain);
    if (defect && (pass == 1 || defect->kind == CoverDefect::Kind::out_of_bounds)) {
      return defect_error(global_sizes, *defect, boxes);
    }
    std::erase_if(boxes, [](const OwnedBox& owned) { return owned.box.empty(); });
  }
  ShardingSpec spec;
  spec.global_sizes_ = global_sizes;
  spec.boxes_ = std::move(boxes);
  return spec;
}

std::vector<Box> ShardingSpec::boxes_of(std::int64_t rank) const {
  std::vector<Box> found;
  for (const OwnedBox& owned : boxes_) {
    if (owned.rank == rank) {
      found.push_back(owned.box);
    }
  }
  return found;
}

Result<ShardedTensor> ShardedTensor::from_local(std::span<const TensorView> locals, Dtype dtype,
                                                const ShardingSpec& spec, std::int64_t rank) {
  const std::vector<Box> boxes = spec.boxes_of(rank);
  if (locals.size() != boxes.size()) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("{} local shards given, rank {} holds {} boxes", locals.size(), rank,
                             boxes.size())};
  }
  std::vector<HeldBox> held;
  held.reserve(boxes.size());
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    if (locals[i].sizes != boxes[i].sizes || locals[i].dtype != dtype) {
      return Error{ErrorCode::invalid_argument,
                   fmt::format("local shard {} is {} {}, rank {}'s box {} wants {} {}", i,
                               dtype_name(locals[i].dtype), to_string(locals[i].sizes), rank,
                               to_string(boxes[i]), dtype_name(dtype), to_string(boxes[i].sizes))};
    }
    held.push_back({boxes[i], locals[i]});
  }
  return ShardedTensor(spec.global_sizes(), dtype, std::move(held));
}

Result<ShardedTensor> ShardedTensor::from_boxes(const Dims& global_sizes, Dtype dtype,
                                                std::vector<HeldBox> boxes) {
  for (const HeldBox& held : boxes) {
    if (held.box.ndim() != global_sizes.ndim() || !contains(whole_box(global_sizes), held.box) ||
        held.elements.sizes != held.box.sizes || held.elements.dtype != dtype) {
      return Error{ErrorCode::invalid_argument,
                   fmt::format("box {} of a {} tensor {} is out of bounds, or has {} {} elements",
                               to_string(held.box), dtype_name(dtype), to_string(global_sizes),
                               to_string(held.elements.sizes), dtype_name(held.elements.dtype))};
    }
  }
  return ShardedTensor(global_sizes, dtype, std::move(boxes));
}

}  // namespace shardmark
