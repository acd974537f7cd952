// SPDX-License-Identifier: Apache-2.0
#include "shardmark/testing/conformance.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>

#include "shardmark/core/cover.hpp"
#include "shardmark/workload/value_law.hpp"

namespace shardmark::testing {
namespace {

constexpr std::string_view fqn = "conformance.tensor";

bool same_item(const WriteItem& a, const WriteItem& b) {
  return a.index == b.index && a.type == b.type && a.tensor_data.chunk == b.tensor_data.chunk &&
         a.tensor_data.properties == b.tensor_data.properties &&
         a.tensor_data.size == b.tensor_data.size;
}

bool same_view(const ConstTensorView& a, const ConstTensorView& b) {
  return a.data == b.data && a.dtype == b.dtype && a.sizes == b.sizes && a.strides == b.strides;
}

/// One world, rank by rank.
class WorldCheck {
 public:
  WorldCheck(const MakeTensor& make, std::int64_t world_size, std::vector<BrokenRule>& broken)
      : make_(make), world_size_(world_size), broken_(broken) {}

  void run() {
    for (rank_ = 0; rank_ < world_size_; ++rank_) {
      check_rank();
    }
    if (broken_.empty() && sizes_) {
      check_cover();
    }
  }

 private:
  void report(std::string rule, std::string_view detail) {
    broken_.push_back(
        {std::move(rule), fmt::format("rank {} of {}: {}", rank_, world_size_, detail)});
  }

  void check_rank() {
    const auto tensor = make_(rank_, world_size_);
    if (!tensor) {
      report("make", tensor.error().message);
      return;
    }
    const CheckpointableRef& hooks = tensor->hooks();
    const auto items = hooks.create_write_items(fqn);
    const auto chunks = hooks.create_chunk_list();
    if (!items || !chunks) {
      report("hooks succeed", (items ? chunks.error() : items.error()).message);
      return;
    }
    check_lists(hooks, *items, *chunks);
    if (!check_boxes(*items, *chunks)) {
      return;  // the rest would look up boxes that cannot be
    }
    for (std::size_t i = 0; i < chunks->size(); ++i) {
      check_look_up(hooks, *chunks, i);
    }
    check_failing_look_ups(hooks, *chunks);
    check_aliasing(hooks, *chunks);
    check_layout(hooks, *chunks);
  }

  void check_lists(const CheckpointableRef& hooks, const std::vector<WriteItem>& items,
                   const std::vector<Box>& chunks) {
    const auto again = hooks.create_write_items(fqn);
    const auto chunks_again = hooks.create_chunk_list();
    if (!again || !chunks_again || *chunks_again != chunks ||
        !std::equal(items.begin(), items.end(), again->begin(), again->end(), same_item)) {
      report("idempotent", "a second call lists something else");
    }
    if (items.size() != chunks.size()) {
      report("same boxes", fmt::format("{} write items, {} chunks", items.size(), chunks.size()));
      return;
    }
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (items[i].tensor_data.chunk != chunks[i]) {
        report("same boxes",
               fmt::format("at {}: item {}, chunk {}", i, to_string(items[i].tensor_data.chunk),
                           to_string(chunks[i])));
      }
      if (items[i].index.offset != chunks[i].offsets || items[i].type == WriteItemType::byte_io) {
        report("item fields", fmt::format("item {} of box {} names another offset, or bytes", i,
                                          to_string(chunks[i])));
      }
      if (items[i].index.fqn.data() != fqn.data() || items[i].index.fqn.size() != fqn.size()) {
        report("item fields", fmt::format("item {} does not view the fqn that was given", i));
      }
    }
  }

  /// False if boxes are not even boxes of the tensor.
  bool check_boxes(const std::vector<WriteItem>& items, const std::vector<Box>& chunks) {
    for (const WriteItem& item : items) {
      const auto& data = item.tensor_data;
      if (!sizes_) {
        sizes_ = data.size;
        dtype_ = data.properties.dtype;
      }
      if (data.size != *sizes_ || data.properties.dtype != dtype_) {
        report("same tensor",
               fmt::format("{} {} here, {} {} before", dtype_name(data.properties.dtype),
                           to_string(data.size), dtype_name(dtype_), to_string(*sizes_)));
        return false;
      }
    }
    std::set<Dims> corners;
    for (const Box& box : chunks) {
      if (!sizes_ || box.offsets.ndim() != sizes_->ndim() || box.sizes.ndim() != sizes_->ndim() ||
          !contains(whole_box(*sizes_), box) ||
          std::any_of(box.sizes.begin(), box.sizes.end(), [](auto size) { return size < 0; })) {
        report("bounds", fmt::format("box {} is not in the tensor {}", to_string(box),
                                     sizes_ ? to_string(*sizes_) : "of no write item"));
        return false;
      }
      if (!box.empty() && !corners.insert(box.offsets).second) {
        report("one box a corner", to_string(box.offsets));
        return false;
      }
      if (!box.empty()) {
        boxes_.insert(box);
      }
    }
    return true;
  }

  void check_look_up(const CheckpointableRef& hooks, const std::vector<Box>& chunks,
                     std::size_t i) {
    const auto count = static_cast<std::int64_t>(chunks.size());
    const auto right = static_cast<std::int64_t>(i);
    const auto found = hooks.get_tensor_shard({fqn, chunks[i].offsets, right});
    const std::string box = to_string(chunks[i]);
    if (!found) {
      report("look-up", fmt::format("box {}: {}", box, found.error().message));
      return;
    }
    if (found->sizes != chunks[i].sizes || found->dtype != dtype_) {
      report("look-up", fmt::format("box {} gives a view of {} {}", box, dtype_name(found->dtype),
                                    to_string(found->sizes)));
    }
    if (chunks[i].empty()) {
      return;  // which of several empty boxes at a corner is found does not matter
    }
    const std::optional<std::int64_t> hints[] = {std::nullopt,
                                                 0,
                                                 (right + 1) % count,
                                                 count,
                                                 -1,
                                                 std::numeric_limits<std::int64_t>::max(),
                                                 std::numeric_limits<std::int64_t>::min()};
    for (const auto& hint : hints) {
      const auto again = hooks.get_tensor_shard({fqn, chunks[i].offsets, hint});
      if (!again || !same_view(*again, *found)) {
        report("look-up", fmt::format("box {} with hint {} gives another view or none", box,
                                      hint ? fmt::to_string(*hint) : "none"));
        return;
      }
    }
  }

  void check_failing_look_ups(const CheckpointableRef& hooks, const std::vector<Box>& chunks) {
    std::set<Dims> corners;
    for (const Box& box : chunks) {
      corners.insert(box.offsets);
    }
    if (sizes_ && !sizes_->empty()) {
      std::vector<Dims> unknown = {Dims::filled(sizes_->ndim(), 0), *sizes_};
      unknown.back()[0] += 1;
      for (const Box& box : chunks) {
        unknown.push_back(box.offsets);
        unknown.back()[sizes_->ndim() - 1] += 1;
      }
      for (const Dims& offset : unknown) {
        const auto found = hooks.get_tensor_shard({fqn, offset, 0});
        if (!corners.contains(offset) && (found || found.error().code != ErrorCode::not_found)) {
          report("unknown offset",
                 fmt::format("offset {}, at which no box starts, is not not_found",
                             to_string(offset)));
          return;
        }
      }
    }
    if (chunks.size() > 1) {
      const auto found = hooks.get_tensor_shard({fqn, std::nullopt, 0});
      if (found || found.error().code != ErrorCode::invalid_argument) {
        report("missing offset", "with several boxes it is not invalid_argument");
      }
    }
  }

  /// Writes all boxes by the value law, then reads all: boxes that share memory, and views of
  /// copies, give another's values or old ones.
  void check_aliasing(const CheckpointableRef& hooks, const std::vector<Box>& chunks) {
    constexpr std::uint64_t seed = 20;
    for (const Box& box : chunks) {
      const auto view = hooks.get_mutable_tensor_shard({fqn, box.offsets, std::nullopt});
      if (!box.empty() && (!view || view->sizes != box.sizes || view->data == nullptr)) {
        report("aliasing",
               fmt::format("box {} cannot be written: {}", to_string(box),
                           view ? "no elements, or of another size" : view.error().message));
        return;
      }
      if (!box.empty()) {
        fill(*view, fqn, seed, box, *sizes_);
      }
    }
    for (const Box& box : chunks) {
      const auto view = hooks.get_tensor_shard({fqn, box.offsets, std::nullopt});
      if (box.empty() || !view || view->sizes != box.sizes) {
        continue;  // reported before
      }
      if (const auto wrong = check(*view, fqn, seed, box, *sizes_)) {
        report("aliasing", fmt::format("box {} at {} was written {}, reads {}", to_string(box),
                                       to_string(wrong->index), wrong->expected, wrong->found));
        return;
      }
    }
  }

  void check_layout(const CheckpointableRef& hooks, const std::vector<Box>& chunks) {
    const TensorLayout* layout = hooks.layout();
    if (layout == nullptr) {
      return;
    }
    std::vector<Box> expected;
    if (const auto coordinate = layout->mesh.coordinate(rank_)) {
      const auto shard = compute_local_shard(layout->global_sizes, layout->mesh.shape(),
                                             *coordinate, layout->placements());
      for (const LocalBox& part : shard ? shard->boxes : std::vector<LocalBox>()) {
        expected.push_back(part.box);
      }
    }
    if (expected != chunks ||
        (sizes_ && (layout->global_sizes != *sizes_ || layout->dtype != dtype_))) {
      report("layout", "the boxes, shape or dtype that it gives are not the hooks'");
    }
  }

  void check_cover() {
    const std::vector<Box> boxes(boxes_.begin(), boxes_.end());
    const auto defect = find_cover_defect(*sizes_, boxes);
    if (!defect) {
      return;
    }
    const std::string where = fmt::format("world of {}: element {} of {}", world_size_,
                                          to_string(defect->at), to_string(*sizes_));
    if (defect->kind == CoverDefect::Kind::overlap) {
      broken_.push_back(
          {"overlap", fmt::format("{} lies in {} and {}", where, to_string(boxes[defect->box]),
                                  to_string(boxes[defect->other_box]))});
    } else {
      broken_.push_back({"cover", where + " lies in no box"});
    }
  }

  const MakeTensor& make_;
  std::int64_t world_size_;
  std::vector<BrokenRule>& broken_;
  std::int64_t rank_ = 0;
  std::optional<Dims> sizes_;  // of the first item
  Dtype dtype_ = Dtype::float32;
  std::set<Box> boxes_;  // of all ranks, replicas once, empty ones left out
};

}  // namespace

std::string to_string(const std::vector<BrokenRule>& broken) {
  std::string text;
  for (const BrokenRule& rule : broken) {
    text += rule.rule + ": " + rule.detail + "\n";
  }
  return text;
}

std::vector<BrokenRule> check_hooks(const MakeTensor& make, std::int64_t max_world_size) {
  std::vector<BrokenRule> broken;
  for (std::int64_t world = 1; world <= max_world_size && broken.empty(); ++world) {
    WorldCheck(make, world, broken).run();
  }
  return broken;
}

}  // namespace shardmark::testing
