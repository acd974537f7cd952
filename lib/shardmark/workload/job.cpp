// SPDX-License-Identifier: Apache-2.0
#include "shardmark/workload/job.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>

#include "shardmark/core/by_rank.hpp"
#include "shardmark/core/cover.hpp"
#include "shardmark/workload/job_fields.hpp"

namespace shardmark {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t version = 1;
constexpr std::int64_t max_world_size = std::int64_t{1} << 24;
constexpr std::size_t max_boxes = std::size_t{1} << 24;   // of one tensor or list
constexpr std::size_t max_listed = std::size_t{1} << 26;  // ranks, in all lists
// Of a layout whose ranks nobody knows: each is made, and kept, here.
constexpr std::int64_t max_fitted_boxes = std::int64_t{1} << 20;
constexpr std::uintmax_t max_file_bytes = std::uintmax_t{1} << 30;

/// A mesh with placements, whose ranks may be unknown.
struct JobLayout {
  DeviceMesh mesh;
  std::vector<Placement> placements;
  bool knows_ranks = false;
};

class JobReader {
 public:
  JobReader(const std::string& path, const Json& document) : found_(path), document_(document) {}

  Result<Job> run() {
    SHARDMARK_RETURN_IF_ERROR(check_head());
    for (const Json& value : found_.list(document_, "layouts")) {
      read_layout(value);
    }
    rank_lists_ = &found_.list(document_, "rank_lists");
    for (const Json& value : found_.list(document_, "tensors")) {
      read_tensor(value);
    }
    for (const Json& value : found_.list(document_, "objects")) {
      read_object(value);
    }
    SHARDMARK_RETURN_IF_ERROR(found_.status());
    SHARDMARK_RETURN_IF_ERROR(check_size());
    add_notes();
    return std::move(job_);
  }

 private:
  Status check_head() {
    if (found_.text(document_, "format") != "shardmark job") {
      found_.wrong("'format' is not 'shardmark job'");
    }
    SHARDMARK_RETURN_IF_ERROR(found_.status());
    const Json& number = found_.member(document_, "version");
    if (number != version) {
      return Error{
          ErrorCode::unsupported,
          fmt::format("job file of version {}, this program reads {}", number.dump(), version)};
    }
    job_.world_size =
        found_.number(found_.member(document_, "world_size"), 1, max_world_size, "'world_size'");
    return found_.status();
  }

  void read_layout(const Json& value) {
    const Dims shape = found_.dims(value, "mesh");
    std::string placements;
    for (const Json& name : found_.list(value, "placements")) {
      placements += placements.empty() ? "" : ",";
      placements += name.is_string() ? name.get<std::string>() : "?";
    }
    JobLayout layout;
    if (shape.ndim() > 0) {
      auto parsed = parse_placements(placements);
      if (!parsed) {
        found_.wrong(parsed.error().message);
        return;
      }
      layout.placements = std::move(*parsed);
      if (std::ranges::any_of(layout.placements, [](const Placement& placement) {
            return placement.kind != PlacementKind::replicate &&
                   placement.kind != PlacementKind::shard;
          })) {
        found_.wrong(fmt::format("placements {} are not R or S(d)", placements));
        return;
      }
    }
    layout.knows_ranks = found_.member(value, "first_rank").is_number_integer();
    auto mesh = DeviceMesh::row_major(shape);
    if (layout.knows_ranks) {
      mesh = DeviceMesh::strided(
          shape, found_.dims(value, "strides"),
          found_.number(found_.member(value, "first_rank"), 0, max_world_size, "'first_rank'"));
    }
    if (!mesh || layout.placements.size() != shape.size()) {
      found_.wrong(mesh ? "a layout without a placement for each mesh dimension"
                        : mesh.error().message);
      return;
    }
    layout.mesh = *mesh;
    if (layout.knows_ranks && last_rank_of(*mesh) >= job_.world_size) {
      found_.wrong(fmt::format("a layout has rank {}, the world {} ranks", last_rank_of(*mesh),
                               job_.world_size));
    }
    layouts_.push_back(std::move(layout));
  }

  static std::int64_t last_rank_of(const DeviceMesh& mesh) {
    Dims last = mesh.shape();
    for (std::int64_t& extent : last) {
      --extent;
    }
    return mesh.rank_at(last);
  }

  void read_tensor(const Json& value) {
    JobTensor tensor;
    tensor.fqn = found_.text(value, "fqn");
    const std::string dtype = found_.text(value, "dtype");
    const auto known = dtype_from_name(dtype);
    if (!known) {
      found_.wrong(fmt::format("'{}': '{}' is no dtype that is replayed", tensor.fqn, dtype));
      return;
    }
    tensor.dtype = *known;
    tensor.shape = found_.dims(value, "shape");
    if (!names_.insert(tensor.fqn).second) {
      found_.wrong(fmt::format("'{}' stands there twice", tensor.fqn));
    }
    const auto volume = checked_volume(tensor.shape);
    if (!found_.ok() || !volume || *volume > INT64_MAX / element_size(tensor.dtype)) {
      found_.wrong(fmt::format("'{}' is too large", tensor.fqn));
      return;
    }
    place(value, tensor);
    if (found_.ok()) {
      job_.tensors.push_back(std::move(tensor));
    }
  }

  void place(const Json& value, JobTensor& tensor) {
    const Json& number = found_.member(value, "layout");
    if (number.is_null()) {
      read_boxes(value, tensor);
    } else {
      const std::int64_t at =
          found_.number(number, 0, static_cast<std::int64_t>(layouts_.size()) - 1, "'layout'");
      if (!found_.ok()) {
        return;
      }
      const JobLayout& layout = of_rank(layouts_, at);
      auto made = make_tensor_layout(tensor.shape, tensor.dtype, layout.mesh, layout.placements);
      if (!made) {
        found_.wrong(fmt::format("'{}': {}", tensor.fqn, made.error().message));
        return;
      }
      if (layout.knows_ranks) {
        tensor.layout = *made;
        return;
      }
      boxes_of(*made, tensor);
    }
    if (tensor.boxes.empty()) {
      return;  // a tensor without elements: every rank knows of it
    }
    read_holders(value, tensor);
  }

  void read_boxes(const Json& value, JobTensor& tensor) {
    const auto ndim = tensor.shape.size();
    for (const Json& numbers : found_.list(value, "boxes")) {
      if (!numbers.is_array() || numbers.size() != 2 * ndim || tensor.boxes.size() >= max_boxes) {
        found_.wrong(fmt::format("'{}': a box has not {} numbers", tensor.fqn, 2 * ndim));
        return;
      }
      Box box = whole_box(tensor.shape);
      for (int d = 0; d < box.ndim(); ++d) {
        const auto at = static_cast<std::size_t>(d);
        box.offsets[d] = found_.number(numbers[at], 0, INT64_MAX, "a box's offset");
        box.sizes[d] = found_.number(numbers[ndim + at], 1, INT64_MAX, "a box's size");
      }
      tensor.boxes.push_back(box);
    }
    const auto defect = find_cover_defect(tensor.shape, tensor.boxes);
    if (found_.ok() && defect) {
      found_.wrong(fmt::format("'{}': its boxes do not tile {}: see element {}", tensor.fqn,
                               to_string(tensor.shape), to_string(defect->at)));
    }
  }

  /// Those of a layout whose ranks nobody knows, row-major.
  void boxes_of(const TensorLayout& layout, JobTensor& tensor) {
    // A fitted mesh has no part without elements.
    if (layout.mesh.size() > std::min(max_fitted_boxes, volume(layout.global_sizes))) {
      found_.wrong(fmt::format("'{}': too many boxes", tensor.fqn));
      return;
    }
    for (std::int64_t rank = 0; rank < layout.mesh.size(); ++rank) {
      const auto shard = compute_local_shard(layout.global_sizes, layout.mesh.shape(),
                                             *layout.mesh.coordinate(rank), layout.placements());
      if (!shard) {
        found_.wrong(fmt::format("'{}': {}", tensor.fqn, shard.error().message));
        return;
      }
      for (const LocalBox& part : shard->boxes) {
        if (!part.box.empty()) {
          tensor.boxes.push_back(part.box);
        }
      }
    }
    std::ranges::sort(tensor.boxes, {}, [](const Box& box) { return box.offsets; });
    tensor.boxes.erase(std::unique(tensor.boxes.begin(), tensor.boxes.end()), tensor.boxes.end());
  }

  void read_holders(const Json& value, JobTensor& tensor) {
    const std::int64_t at =
        found_.number(found_.member(value, "holders"), 0,
                      static_cast<std::int64_t>(rank_lists_->size()) - 1, "'holders'");
    if (!found_.ok()) {
      return;
    }
    auto& known = lists_[at];
    if (known == nullptr) {
      known = read_rank_list(of_rank(*rank_lists_, at));
    }
    tensor.holders = known;
    if (found_.ok() && tensor.holders->num_boxes() != tensor.boxes.size()) {
      found_.wrong(fmt::format("'{}': {} boxes, and holders of {}", tensor.fqn, tensor.boxes.size(),
                               tensor.holders->num_boxes()));
    }
  }

  std::shared_ptr<const BoxHolders> read_rank_list(const Json& value) {
    std::vector<BoxHolders::Pair> pairs;
    std::size_t num_boxes = 0;
    if (const Json& each = found_.member(value, "one_each"); !each.is_null()) {
      for_each_rank(each, [&](std::int64_t rank) {
        pairs.emplace_back(rank, static_cast<std::uint32_t>(num_boxes++));
      });
    } else {
      for (const Json& runs : found_.list(value, "sets")) {
        bool any = false;
        for_each_rank(runs, [&](std::int64_t rank) {
          pairs.emplace_back(rank, static_cast<std::uint32_t>(num_boxes));
          any = true;
        });
        if (!any) {
          unknown_ = true;
          pairs.emplace_back(0, static_cast<std::uint32_t>(num_boxes));
        }
        ++num_boxes;
      }
    }
    return std::make_shared<const BoxHolders>(std::move(pairs), num_boxes);
  }

  /// Runs [first, count, step]; whom nobody knows is rank 0.
  template <typename Take>
  void for_each_rank(const Json& runs, const Take& take) {
    std::size_t total = 0;
    if (!runs.is_array()) {
      found_.wrong("a list of ranks is none");
      return;
    }
    for (const Json& run : runs) {
      if (!run.is_array() || run.size() != 3) {
        found_.wrong("a run of ranks is not [first, count, step]");
        return;
      }
      const bool known = !run[0].is_null();
      const std::int64_t last = job_.world_size - 1;
      const std::int64_t first = known ? found_.number(run[0], 0, last, "a rank") : 0;
      const std::int64_t count = found_.number(run[1], 1, max_boxes, "a count of ranks");
      const std::int64_t step = known ? found_.number(run[2], -last, last, "a step of ranks") : 0;
      const std::int64_t end = first + (count - 1) * step;
      total += static_cast<std::size_t>(count);
      num_listed_ += static_cast<std::size_t>(count);
      if (!found_.ok() || end < 0 || end > last || total > max_boxes) {
        found_.wrong(fmt::format("a run of ranks leaves the world of {}", job_.world_size));
        return;
      }
      if (num_listed_ > max_listed) {
        found_.wrong(fmt::format("lists that name more than {} ranks together", max_listed));
        return;
      }
      unknown_ = unknown_ || !known;
      for (std::int64_t i = 0; i < count; ++i) {
        take(first + i * step);
      }
    }
  }

  /// What one rank holds is a tensor of bytes here: objects are the same everywhere.
  void read_object(const Json& value) {
    JobObject object{found_.text(value, "fqn"), 0};
    const Json& num_bytes = found_.member(value, "num_bytes");
    unsized_ += num_bytes.is_null() ? 1 : 0;
    object.num_bytes =
        num_bytes.is_null() ? 0 : found_.number(num_bytes, 0, INT64_MAX, "'num_bytes'");
    if (!names_.insert(object.fqn).second) {
      found_.wrong(fmt::format("'{}' stands there twice", object.fqn));
    }
    const Json& writer = found_.member(value, "writer");
    const bool of_one = found_.member(value, "holders").is_null() && writer.is_number_integer();
    if (!of_one || object.num_bytes == 0 || job_.world_size == 1) {
      job_.objects.push_back(std::move(object));
      return;
    }
    const std::int64_t rank = found_.number(writer, 0, job_.world_size - 1, "'writer'");
    ++as_tensors_;
    job_.tensors.push_back(
        {object.fqn,
         Dtype::uint8,
         {object.num_bytes},
         std::nullopt,
         {whole_box(Dims{object.num_bytes})},
         std::make_shared<const BoxHolders>(std::vector<BoxHolders::Pair>{{rank, 0U}}, 1)});
  }

  /// Every sum of bytes later is a part of this one.
  Status check_size() {
    std::int64_t sum = 0;
    const auto add = [&](const std::string& fqn, std::int64_t num_bytes) {
      if (__builtin_add_overflow(sum, num_bytes, &sum)) {
        found_.wrong(fmt::format("more than 2^63 - 1 bytes from '{}' on", fqn));
      }
    };
    for (const JobTensor& tensor : job_.tensors) {
      add(tensor.fqn, volume(tensor.shape) * element_size(tensor.dtype));
    }
    for (const JobObject& object : job_.objects) {
      add(object.fqn, object.num_bytes);
    }
    return found_.status();
  }

  void add_notes() {
    const Json& replicas = found_.member(document_, "replicas");
    if (replicas == "unknown") {
      job_.notes.emplace_back(
          "the job file knows who wrote, not who holds: replicas are not replayed");
    }
    if (unknown_) {
      job_.notes.emplace_back("parts whose holder nobody knows are rank 0's");
    }
    if (as_tensors_ > 0) {
      job_.notes.push_back(
          fmt::format("{} objects of one rank each are replayed as tensors of bytes", as_tensors_));
    }
    if (unsized_ > 0) {
      job_.notes.push_back(fmt::format("{} objects of unknown size are replayed empty", unsized_));
    }
  }

  JobFields found_;
  const Json& document_;
  Job job_;
  std::vector<JobLayout> layouts_;
  const Json* rank_lists_ = nullptr;
  std::map<std::int64_t, std::shared_ptr<const BoxHolders>> lists_;
  std::set<std::string> names_;
  bool unknown_ = false;
  std::size_t num_listed_ = 0;  // ranks, in all lists
  int as_tensors_ = 0;
  int unsized_ = 0;
};

Result<Job> parse_job(const std::string& path) {
  std::error_code failed;
  const auto num_bytes = std::filesystem::file_size(path, failed);
  if (failed || num_bytes > max_file_bytes) {
    return Error{failed ? ErrorCode::not_found : ErrorCode::invalid_argument,
                 fmt::format("{}: {}", path, failed ? failed.message() : "more than 1 GiB")};
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return Error{ErrorCode::io_error, fmt::format("{}: cannot be read", path)};
  }
  const Json document = Json::parse(file, nullptr, false);
  if (!document.is_object()) {
    return Error{ErrorCode::invalid_argument, fmt::format("{}: no JSON object", path)};
  }
  return JobReader(path, document).run();
}

}  // namespace

Result<std::shared_ptr<const Job>> read_job(const std::string& path) {
  static std::mutex mutex;
  static std::map<std::string, std::weak_ptr<const Job>> in_use;  // by path, size and time
  std::error_code ignored;
  const auto num_bytes = std::filesystem::file_size(path, ignored);
  const auto time = std::filesystem::last_write_time(path, ignored).time_since_epoch().count();
  const std::lock_guard lock(mutex);
  auto& known = in_use[fmt::format("{} {} {}", path, num_bytes, time)];
  if (auto job = known.lock()) {
    return job;
  }
  SHARDMARK_ASSIGN_OR_RETURN(Job job, parse_job(path));
  auto shared = std::make_shared<const Job>(std::move(job));
  known = shared;
  return shared;
}

}  // namespace shardmark
