// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/exchange/striped_regions.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

namespace shardmark {
namespace {

// Smaller requests cost more than two writers of one object.
constexpr std::int64_t least_region_bytes = std::int64_t{1} << 20;

/// How many writers regions of so many stripes can have, so that each object has one.
std::int64_t num_groups(std::int64_t stripes_a_region, std::int64_t objects) noexcept {
  return stripes_a_region > 0 && objects % stripes_a_region == 0 ? objects / stripes_a_region : 1;
}

/// The objects of one file, joined where one region has several of them.
class Objects {
 public:
  explicit Objects(const Striping& striping) : striping_(striping) {
    std::size_t count = 0;
    for (const StripeComponent& component : striping.components) {
      first_.push_back(count);
      if (is_known(component)) {
        count += static_cast<std::size_t>(component.stripe_count);
      }
    }
    above_.resize(count);
    std::iota(above_.begin(), above_.end(), std::size_t{0});
  }

  /// One of the objects of these bytes, all joined; nullopt where nobody knows of any.
  std::optional<std::size_t> join(ByteRange bytes) {
    std::optional<std::size_t> joined;
    for (std::size_t c = 0; c < striping_.components.size(); ++c) {
      const StripeComponent& component = striping_.components[c];
      const std::int64_t begin = std::max(bytes.begin, component.begin);
      const std::int64_t end = std::min(bytes.end, component.end);
      if (begin >= end || !is_known(component)) {
        continue;
      }
      const std::int64_t first = begin / component.stripe_bytes;
      const std::int64_t last =
          std::min((end - 1) / component.stripe_bytes, first + component.stripe_count - 1);
      for (std::int64_t stripe = first; stripe <= last; ++stripe) {
        const std::size_t object =
            first_[c] + static_cast<std::size_t>(stripe % component.stripe_count);
        const std::size_t root = root_of(object);
        above_[root] = joined ? root_of(*joined) : root;
        joined = root_of(object);
      }
    }
    return joined;
  }

  std::size_t root_of(std::size_t object) {
    while (above_[object] != object) {
      object = std::exchange(above_[object], above_[above_[object]]);
    }
    return object;
  }

 private:
  static bool is_known(const StripeComponent& component) noexcept {
    return component.stripe_bytes > 0 && component.stripe_count > 0;
  }

  const Striping& striping_;
  std::vector<std::size_t> first_;  // object, by component
  std::vector<std::size_t> above_;  // by object
};

/// The regions of one file.
void take_turns(std::span<Region> regions, const Striping& striping) {
  Objects objects(striping);
  std::vector<std::optional<std::size_t>> object_of;
  for (const Region& region : regions) {
    object_of.push_back(objects.join(region.bytes));
  }
  std::map<std::size_t, std::size_t> turn_of;  // joined objects
  std::size_t turn = regions.front().number;
  for (std::size_t k = 0; k < regions.size(); ++k) {
    Region& region = regions[k];
    region.striped = object_of[k].has_value();
    if (!region.striped) {
      region.turn = turn++;
      continue;
    }
    const auto [found, is_new] = turn_of.try_emplace(objects.root_of(*object_of[k]), turn);
    turn += is_new ? 1 : 0;
    region.turn = found->second;
  }
}

}  // namespace

std::int64_t striped_region_bytes(const StripeComponent& stripes, std::int64_t most_bytes,
                                  int num_writers) noexcept {
  const std::int64_t stripe = stripes.stripe_bytes;
  if (stripe <= 0 || most_bytes < stripe_unit_bytes) {
    return most_bytes;
  }
  if (stripe > most_bytes) {
    std::int64_t parts = (stripe + most_bytes - 1) / most_bytes;
    while (stripe % (parts * stripe_unit_bytes) != 0) {
      ++parts;
    }
    return stripe / parts;
  }
  std::int64_t best = most_bytes / stripe;
  const std::int64_t objects = std::max<std::int64_t>(stripes.stripe_count, 1);
  const std::int64_t wanted = std::min<std::int64_t>(objects, num_writers);
  for (std::int64_t count = best - 1;
       count > 0 && count * stripe >= least_region_bytes && num_groups(best, objects) < wanted;
       --count) {
    if (num_groups(count, objects) > num_groups(best, objects)) {
      best = count;
    }
  }
  return best * stripe;
}

void deal_by_objects(std::span<Region> regions, const Striping& striping, int num_writers) {
  while (!regions.empty()) {
    const auto end = std::ranges::find_if(
        regions, [&](const Region& region) { return region.file != regions.front().file; });
    const auto count = static_cast<std::size_t>(end - regions.begin());
    const std::span<Region> of_file = regions.first(count);
    take_turns(of_file, striping);
    for (Region& region : of_file) {
      region.writer = static_cast<int>(region.turn % static_cast<std::size_t>(num_writers));
      region.server = region.writer;
    }
    regions = regions.subspan(count);
  }
}

void put_striping(ByteWriter& out, const Striping& striping) {
  out.varint(striping.components.size());
  for (const StripeComponent& component : striping.components) {
    out.count(component.begin);
    out.count(component.end);
    out.count(component.stripe_bytes);
    out.count(component.stripe_count - all_stripes);
  }
}

Striping take_striping(ByteReader& in) {
  Striping striping;
  striping.components.resize(in.length(4));
  std::int64_t at = 0;
  for (StripeComponent& component : striping.components) {
    component.begin = in.count(INT64_MAX);
    component.end = in.count(INT64_MAX);
    component.stripe_bytes = in.count(max_stripe_bytes);
    component.stripe_count = in.count(UINT16_MAX) + all_stripes;
    if (!in.ok() || component.begin < at || component.begin >= component.end ||
        component.stripe_bytes % stripe_unit_bytes != 0) {
      return {};
    }
    at = component.end;
  }
  return striping;
}

}  // namespace shardmark
