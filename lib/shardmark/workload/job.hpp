// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "shardmark/core/box.hpp"
#include "shardmark/core/dtype.hpp"
#include "shardmark/core/result.hpp"
#include "shardmark/protocol/tensor_layout.hpp"
#include "shardmark/workload/box_holders.hpp"

namespace shardmark {

/// A tensor of a job: by a layout that tells every rank's boxes, or by boxes and who holds them.
struct JobTensor {
  std::string fqn;
  Dtype dtype = Dtype::float32;
  Dims shape;
  std::optional<TensorLayout> layout;
  std::vector<Box> boxes;  // without a layout: by offsets, each element of the tensor in one
  std::shared_ptr<const BoxHolders> holders;
};

struct JobObject {
  std::string fqn;
  std::int64_t num_bytes = 0;
};

/// A real job's tensors and which rank holds which part of them, as scripts/job writes it
/// (configs/README.md, "The job file").
struct Job {
  std::int64_t world_size = 0;
  std::vector<JobTensor> tensors;
  std::vector<JobObject> objects;  // on every rank
  std::vector<std::string> notes;  // what is not as it was in the job
};

/// Local. Reads a job file, whose contents are checked: a rank's boxes lie in their tensor, and all
/// boxes of a tensor tile it. A file that is in use is read once. Errors: not_found, io_error;
/// unsupported for another version; invalid_argument for anything that scripts/job cannot have
/// written, naming file and tensor.
Result<std::shared_ptr<const Job>> read_job(const std::string& path);

}  // namespace shardmark
