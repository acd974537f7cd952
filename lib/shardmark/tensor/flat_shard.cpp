// SPDX-License-Identifier: Apache-2.0
#include "shardmark/tensor/flat_shard.hpp"

#include <fmt/format.h>

namespace shardmark {

FlatRange flat_part(std::int64_t num_elements, std::int64_t parts, std::int64_t index) noexcept {
  const std::int64_t size = num_elements / parts + (num_elements % parts != 0 ? 1 : 0);
  // size * index may pass 2^63 for an index whose part is empty anyway.
  const bool beyond = size != 0 && index > num_elements / size;
  const std::int64_t begin = beyond ? num_elements : std::min(size * index, num_elements);
  return {begin, begin + std::min(size, num_elements - begin)};
}

FlatRange FlatShard::part(const FlatPosition& position) noexcept {
  return intersect({position.begin, position.begin + position.window.num_elements()},
                   position.held);
}

Result<FlatShard> FlatShard::from_buffer(const TensorView& buffer, const FlatPosition& position) {
  SHARDMARK_RETURN_IF_ERROR(Status(checked_volume(position.global_sizes)));
  if (!contains(whole_box(position.global_sizes), position.window)) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("window {} is out of bounds of a tensor {}",
                             to_string(position.window), to_string(position.global_sizes))};
  }
  if (buffer.ndim() != 1 || buffer.num_elements() != position.held.size() ||
      buffer.dtype != position.dtype) {
    return Error{
        ErrorCode::invalid_argument,
        fmt::format("flat buffer is {} {}, expected {} [{}]", dtype_name(buffer.dtype),
                    to_string(buffer.sizes), dtype_name(position.dtype), position.held.size())};
  }
  const FlatRange part = FlatShard::part(position);
  std::vector<HeldBox> held;
  std::int64_t at = part.begin - position.held.begin;
  for_each_box_of_range({part.begin - position.begin, part.end - position.begin},
                        position.window.sizes, [&](Box box) {
                          TensorView view = buffer;
                          view.sizes = box.sizes;
                          view.strides = row_major_strides(box.sizes);
                          for (std::int64_t& stride : view.strides) {
                            stride *= buffer.strides[0];
                          }
                          if (view.data != nullptr) {
                            view.data += at * buffer.strides[0] * element_size(buffer.dtype);
                          }
                          at += box.num_elements();
                          for (int d = 0; d < box.ndim(); ++d) {
                            box.offsets[d] += position.window.offsets[d];
                          }
                          held.push_back({box, view});
                        });
  return FlatShard(position.global_sizes, position.dtype, std::move(held));
}

}  // namespace shardmark
