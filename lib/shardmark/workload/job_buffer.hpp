// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "shardmark/core/result.hpp"
#include "shardmark/tensor/sharded_tensor.hpp"
#include "shardmark/workload/job.hpp"
#include "shardmark/workload/local_buffer.hpp"

namespace shardmark {

/// The boxes that a job's rank holds of one tensor, end to end in memory.
class JobBuffer final : public LocalBuffer {
 public:
  /// `job_tensor` must outlive it.
  explicit JobBuffer(const JobTensor& job_tensor) : job_tensor_(job_tensor) {}

  std::int64_t num_bytes() const noexcept override { return tensor->local_num_bytes(); }
  Status place(std::int64_t rank, std::byte* memory) override;

  std::optional<ShardedTensor> tensor;  // from the first place() on

 private:
  const JobTensor& job_tensor_;
};

}  // namespace shardmark
