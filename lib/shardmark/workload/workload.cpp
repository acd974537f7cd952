// SPDX-License-Identifier: Apache-2.0
#include "shardmark/workload/workload.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "shardmark/core/rounding.hpp"
#include "shardmark/workload/value_law.hpp"

namespace shardmark {
namespace {

constexpr std::int64_t tensor_alignment = 64;  // a cache line, and any vector unit
constexpr std::byte* no_bytes = nullptr;

Status check_rank(std::int64_t rank, std::int64_t world_size) {
  if (rank < 0 || rank >= world_size) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("rank {} is outside the world of {} ranks", rank, world_size)};
  }
  return {};
}

/// With a digit behind the point below ten: "0.4", "73".
std::string percent(double share) {
  return share < 0.0005 ? "under 0.1" : fmt::format("{:.{}f}", 100 * share, share < 0.1 ? 1 : 0);
}

Error broken_law(const StateDictEntry& entry, std::uint64_t seed, const ValueMismatch& mismatch) {
  return {ErrorCode::data_loss,
          fmt::format("'{}' at {}: expected {}, found {} (seed {})", entry.fqn,
                      to_string(mismatch.index), mismatch.expected, mismatch.found, seed)};
}

}  // namespace

Result<Workload> Workload::make(const WorkloadOptions& options, std::int64_t rank,
                                std::int64_t world_size, Memory memory) {
  if (!options.model.job.empty()) {
    return make_job(options, rank, world_size, memory);
  }
  SHARDMARK_ASSIGN_OR_RETURN(const Strategy strategy,
                             Strategy::resolve(options.parallel, world_size));
  SHARDMARK_RETURN_IF_ERROR(check_rank(rank, world_size));
  SHARDMARK_ASSIGN_OR_RETURN(const Model model, make_model(options.model));
  Workload workload(strategy);
  workload.rank_ = rank;
  workload.memory_ = memory;
  workload.model_notes_ = model.notes;
  if (strategy.degrees().tp > 1) {
    workload.uncut_ = Uncut{};
  }
  PlacementRules rules(options.parallel.rules);
  SHARDMARK_RETURN_IF_ERROR(workload.add_tensors(model, options.filter, rules));
  SHARDMARK_RETURN_IF_ERROR(workload.add_objects(model, options.filter));
  SHARDMARK_RETURN_IF_ERROR(workload.finish());
  return workload;
}

Status Workload::finish() {
  if (memory_ == Memory::allocate) {
    SHARDMARK_RETURN_IF_ERROR(allocate());
  }
  count_local_bytes();
  return {};
}

Status Workload::add_tensor(const TensorSpec& spec, const Distribution& distribution,
                            std::map<std::string, FlatBuffer*>& flat_buffers) {
  const auto keep = [this](auto buffer) {
    auto* const raw = buffer.get();
    buffers_.push_back(std::move(buffer));
    return raw;
  };
  // Tensors are first made without memory, to learn how much there must be; allocate() places them.
  if (const auto* const layout = std::get_if<TensorLayout>(&distribution)) {
    SHARDMARK_ASSIGN_OR_RETURN(const Dims sizes, DTensor::local_sizes(*layout, rank_));
    const TensorView planned = contiguous_view<std::byte>(nullptr, spec.dtype, sizes);
    SHARDMARK_ASSIGN_OR_RETURN(DTensor tensor, DTensor::from_local(planned, *layout, rank_));
    return state_dict_.add(spec.fqn,
                           keep(std::make_unique<DTensorBuffer>(std::move(tensor)))->tensor);
  }
  if (const auto* const stack = std::get_if<ExpertStack>(&distribution)) {
    ExpertsBuffer& buffer = *keep(std::make_unique<ExpertsBuffer>(stack->layout));
    SHARDMARK_RETURN_IF_ERROR(buffer.place(rank_, nullptr));
    return state_dict_.add(spec.fqn, *buffer.tensor);
  }
  if (const auto* const cyclic = std::get_if<BlockCyclicLayout>(&distribution)) {
    BlockCyclicBuffer& buffer = *keep(std::make_unique<BlockCyclicBuffer>(*cyclic));
    SHARDMARK_RETURN_IF_ERROR(buffer.place(rank_, nullptr));
    return state_dict_.add(spec.fqn, *buffer.tensor);
  }
  const FlatMembership& membership = std::get<FlatMembership>(distribution);
  FlatBuffer*& buffer = flat_buffers[membership.buffer];
  if (buffer == nullptr) {
    buffer = keep(std::make_unique<FlatBuffer>());
  }
  SHARDMARK_ASSIGN_OR_RETURN(FlatShard* const tensor, buffer->add(membership));
  return state_dict_.add(spec.fqn, *tensor);
}

Status Workload::add_tensors(const Model& model,
                             const std::function<bool(std::string_view)>& filter,
                             PlacementRules& rules) {
  const std::vector<TensorSpec> states = optimizer_tensors(model);
  std::map<std::string, FlatBuffer*> flat_buffers;
  for (const auto* specs : {&model.tensors, &states}) {
    for (const TensorSpec& spec : *specs) {
      SHARDMARK_ASSIGN_OR_RETURN(const PlacementRule* const rule, rules.find(spec));
      if (filter && !filter(spec.fqn)) {
        continue;
      }
      SHARDMARK_ASSIGN_OR_RETURN(
          const Distribution distribution,
          strategy_.distribution(spec, model.num_layers, model.layer_split, rule));
      SHARDMARK_RETURN_IF_ERROR(add_tensor(spec, distribution, flat_buffers));
      count_uncut(spec, rule);
      if (!spec.published_dtype.empty()) {
        published_dtypes_[spec.fqn] = spec.published_dtype;
      }
      global_sizes_.push_back(spec.shape);
      global_num_bytes_ += volume(spec.shape) * element_size(spec.dtype);
    }
  }
  SHARDMARK_RETURN_IF_ERROR(rules.check_all_used(model));
  // Only now is a flat buffer complete: each tensor in it moves the ones behind.
  for (const auto& [name, buffer] : flat_buffers) {
    SHARDMARK_RETURN_IF_ERROR(buffer->place(rank_, nullptr));
  }
  return {};
}

void Workload::count_uncut(const TensorSpec& spec, const PlacementRule* rule) {
  const bool cut = rule == nullptr ? tp_dimension(spec).has_value()
                                   : rule->placements.back().kind != PlacementKind::replicate;
  if (!uncut_ || spec.world_pool || spec.shape.empty() || cut) {
    return;
  }
  uncut_->all.add(spec);
  if (!spec.has_known_role && rule == nullptr) {
    uncut_->unknown.add(spec);
  }
}

void Workload::Share::add(const TensorSpec& tensor) {
  const std::int64_t more = volume(tensor.shape) * element_size(tensor.dtype);
  ++tensors;
  num_bytes += more;
  if (more > largest_bytes_) {
    largest_bytes_ = more;
    example = tensor.fqn;
  }
}

std::vector<std::string> Workload::notes() const {
  std::vector<std::string> notes = model_notes_;
  if (uncut_ && uncut_->unknown.num_bytes > 0) {
    const auto tensor_bytes = static_cast<double>(global_num_bytes_ - object_num_bytes_);
    notes.push_back(fmt::format(
        "{} % of the bytes are not cut by tensor parallelism and lie whole on each of its {} "
        "ranks: {} tensors have no name that says how to cut them, the largest '{}'; "
        "parallel.rules can say it",
        percent(static_cast<double>(uncut_->unknown.num_bytes) / tensor_bytes),
        strategy_.degrees().tp, uncut_->unknown.tensors, uncut_->unknown.example));
  }
  return notes;
}

Status Workload::add_objects(const Model& model,
                             const std::function<bool(std::string_view)>& filter) {
  const auto is_tensor = [&](std::string_view fqn) {
    return std::ranges::any_of(model.tensors, [&](const TensorSpec& t) { return t.fqn == fqn; });
  };
  for (const ObjectSpec& spec : object_specs) {
    std::string fqn(spec.fqn);
    while (is_tensor(fqn)) {
      fqn.insert(0, "object.");  // the file's tensors keep their names
    }
    if (fqn != spec.fqn) {
      model_notes_.push_back(fmt::format(
          "object '{}' is stored as '{}': the model has a tensor of that name", spec.fqn, fqn));
    }
    if (filter && !filter(fqn)) {
      continue;
    }
    SHARDMARK_RETURN_IF_ERROR(add_object(std::move(fqn), spec.num_bytes));
  }
  global_num_bytes_ += object_num_bytes_;
  return {};
}

Status Workload::add_object(std::string fqn, std::int64_t num_bytes) {
  object_num_bytes_ += num_bytes;
  const auto size = static_cast<std::size_t>(num_bytes);
  if (memory_ == Memory::none) {
    return state_dict_.add_object(std::move(fqn), std::span<std::byte>(no_bytes, size));
  }
  return state_dict_.add_object(std::move(fqn), std::span<std::byte>(objects_.emplace_back(size)));
}

Status Workload::allocate() {
  const auto aligned = [](std::int64_t bytes) {
    return round_up<std::int64_t>(bytes, tensor_alignment);
  };
  std::int64_t total = 0;
  for (const auto& buffer : buffers_) {
    total += aligned(buffer->num_bytes());
  }
  SHARDMARK_ASSIGN_OR_RETURN(elements_, HostBuffer::make(total));
  std::byte* next = elements_.bytes().data();
  for (const auto& buffer : buffers_) {
    const std::int64_t num_bytes = aligned(buffer->num_bytes());
    SHARDMARK_RETURN_IF_ERROR(buffer->place(rank_, next));
    next += num_bytes;
  }
  return {};
}

void Workload::count_local_bytes() noexcept {
  local_num_bytes_ = object_num_bytes_;
  for (const auto& buffer : buffers_) {
    local_num_bytes_ += buffer->num_bytes();
  }
}

Status Workload::move_to_rank(std::int64_t rank) {
  SHARDMARK_RETURN_IF_ERROR(check_rank(rank, strategy_.world_size()));
  if (memory_ == Memory::allocate) {
    return Error{
        ErrorCode::invalid_argument,
        fmt::format("rank {}'s workload has memory and cannot move to rank {}", rank_, rank)};
  }
  rank_ = rank;
  // In place, not anew: a virtual world of thousands of ranks is walked with one state dict.
  local_num_bytes_ = object_num_bytes_;
  for (const auto& buffer : buffers_) {
    SHARDMARK_RETURN_IF_ERROR(buffer->place(rank, nullptr));
    local_num_bytes_ += buffer->num_bytes();
  }
  return {};
}

void Workload::fill(std::uint64_t seed) {
  if (memory_ == Memory::none) {
    return;
  }
  for (std::size_t i = 0; i < state_dict_.size(); ++i) {
    const StateDictEntry& entry = state_dict_.entries()[i];
    if (entry.tensor == nullptr) {
      shardmark::fill(entry.mutable_object, entry.fqn, seed);
      continue;
    }
    const auto boxes = entry.tensor->create_chunk_list();
    for (const Box& box : boxes.value()) {
      const auto view =
          entry.tensor->get_mutable_tensor_shard({entry.fqn, box.offsets, std::nullopt});
      shardmark::fill(view.value(), entry.fqn, seed, box, global_sizes_[i]);
    }
  }
}

void Workload::poison() {
  // A pattern that the law gives hardly any element: what a load leaves out shows.
  constexpr int poison_byte = 0xA5;
  const auto bytes = elements_.bytes();
  if (!bytes.empty()) {
    std::memset(bytes.data(), poison_byte, bytes.size());
  }
  for (auto& object : objects_) {
    std::memset(object.data(), poison_byte, object.size());
  }
}

Status Workload::check(std::uint64_t seed, std::span<const std::string> left_out) const {
  if (memory_ == Memory::none) {
    return Error{ErrorCode::invalid_argument, "a workload without memory has no values to check"};
  }
  for (std::size_t i = 0; i < state_dict_.size(); ++i) {
    const StateDictEntry& entry = state_dict_.entries()[i];
    // Without load.strict they keep their values, which are poison.
    if (std::ranges::binary_search(left_out, entry.fqn)) {
      continue;
    }
    if (entry.tensor == nullptr) {
      if (const auto mismatch = shardmark::check(entry.object, entry.fqn, seed)) {
        return broken_law(entry, seed, *mismatch);
      }
      continue;
    }
    SHARDMARK_ASSIGN_OR_RETURN(const auto boxes, entry.tensor->create_chunk_list());
    for (const Box& box : boxes) {
      SHARDMARK_ASSIGN_OR_RETURN(
          const ConstTensorView view,
          entry.tensor->get_tensor_shard({entry.fqn, box.offsets, std::nullopt}));
      if (const auto mismatch = shardmark::check(view, entry.fqn, seed, box, global_sizes_[i])) {
        return broken_law(entry, seed, *mismatch);
      }
    }
  }
  return {};
}

}  // namespace shardmark
