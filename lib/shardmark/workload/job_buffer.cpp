// SPDX-License-Identifier: Apache-2.0
#include "shardmark/workload/job_buffer.hpp"

#include <utility>
#include <vector>

#include "shardmark/core/by_rank.hpp"

namespace shardmark {

Status JobBuffer::place(std::int64_t rank, std::byte* memory) {
  std::vector<HeldBox> held;
  if (job_tensor_.holders != nullptr) {
    std::int64_t at = 0;
    for (const auto& [holder, number] : job_tensor_.holders->of(rank)) {
      const Box& box = of_rank(job_tensor_.boxes, number);
      std::byte* const elements = memory == nullptr ? nullptr : memory + at;
      held.push_back({box, contiguous_view(elements, job_tensor_.dtype, box.sizes)});
      at += held.back().elements.num_bytes();
    }
  }
  SHARDMARK_ASSIGN_OR_RETURN(
      ShardedTensor placed,
      ShardedTensor::from_boxes(job_tensor_.shape, job_tensor_.dtype, std::move(held)));
  tensor = std::move(placed);
  return {};
}

}  // namespace shardmark
