// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <memory>
#include <utility>

#include "shardmark/workload/job_buffer.hpp"
#include "shardmark/workload/workload.hpp"

namespace shardmark {
namespace {

/// What a job says itself.
Status check_job_options(const WorkloadOptions& options, const Job& job, std::int64_t rank,
                         std::int64_t world_size) {
  const ModelOptions& model = options.model;
  if (model.scale.value_or(1) != 1 || model.dtype) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("model.job = \"{}\": a job's boxes are what they are; expected {}",
                             model.job, model.dtype ? "no model.dtype" : "no model.scale, or 1.0")};
  }
  if (!options.parallel.rules.empty()) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("{}: model.job = \"{}\": a job's boxes are what they are; expected no "
                             "parallel.rules",
                             to_string(options.parallel.rules.front()), model.job)};
  }
  if (world_size != job.world_size) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("model.job = \"{0}\": is of {1} ranks, found a world of {2}; 'plan' "
                             "plans it as it is, and run.world = {1} lets fewer ranks play some",
                             model.job, job.world_size, world_size)};
  }
  if (rank < 0 || rank >= world_size) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("rank {} is outside the world of {} ranks", rank, world_size)};
  }
  return {};
}

}  // namespace

Result<Workload> Workload::make_job(const WorkloadOptions& options, std::int64_t rank,
                                    std::int64_t world_size, Memory memory) {
  auto job = read_job(options.model.job);
  if (!job) {
    return Error{job.error().code, "model.job: " + job.error().message};
  }
  SHARDMARK_RETURN_IF_ERROR(check_job_options(options, **job, rank, world_size));
  ParallelOptions none;
  none.strategy = "ddp";  // the job has its own: nobody asks this one for anything
  SHARDMARK_ASSIGN_OR_RETURN(const Strategy strategy, Strategy::resolve(none, world_size));
  Workload workload(strategy);
  workload.job_ = std::move(*job);
  workload.rank_ = rank;
  workload.memory_ = memory;
  workload.model_notes_ = workload.job_->notes;
  SHARDMARK_RETURN_IF_ERROR(workload.add_job(options.filter));
  SHARDMARK_RETURN_IF_ERROR(workload.finish());
  return workload;
}

Status Workload::add_job(const std::function<bool(std::string_view)>& filter) {
  for (const JobTensor& tensor : job_->tensors) {
    if (filter && !filter(tensor.fqn)) {
      continue;
    }
    if (tensor.layout) {
      SHARDMARK_ASSIGN_OR_RETURN(const Dims sizes, DTensor::local_sizes(*tensor.layout, rank_));
      SHARDMARK_ASSIGN_OR_RETURN(
          DTensor placed,
          DTensor::from_local(contiguous_view<std::byte>(nullptr, tensor.dtype, sizes),
                              *tensor.layout, rank_));
      auto buffer = std::make_unique<DTensorBuffer>(std::move(placed));
      SHARDMARK_RETURN_IF_ERROR(state_dict_.add(tensor.fqn, buffer->tensor));
      buffers_.push_back(std::move(buffer));
    } else {
      auto buffer = std::make_unique<JobBuffer>(tensor);
      SHARDMARK_RETURN_IF_ERROR(buffer->place(rank_, nullptr));
      SHARDMARK_RETURN_IF_ERROR(state_dict_.add(tensor.fqn, *buffer->tensor));
      buffers_.push_back(std::move(buffer));
    }
    global_sizes_.push_back(tensor.shape);
    global_num_bytes_ += volume(tensor.shape) * element_size(tensor.dtype);
  }
  for (const JobObject& object : job_->objects) {
    if (filter && !filter(object.fqn)) {
      continue;
    }
    SHARDMARK_RETURN_IF_ERROR(add_object(object.fqn, object.num_bytes));
  }
  global_num_bytes_ += object_num_bytes_;
  return {};
}

}  // namespace shardmark
