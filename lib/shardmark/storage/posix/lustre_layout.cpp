// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/posix/lustre_layout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>

#include "shardmark/storage/posix/lustre_constants.hpp"

namespace shardmark {
namespace {

static_assert(stripe_unit_bytes == lustre::stripe_unit);

/// Little-endian. The caller knows that the bytes are there.
template <typename Number>
Number number_at(std::span<const std::byte> bytes, std::size_t at) {
  Number value = 0;
  for (std::size_t i = 0; i < sizeof(Number); ++i) {
    value = static_cast<Number>(
        value | static_cast<Number>(std::to_integer<Number>(bytes[at + i]) << (8 * i)));
  }
  return value;
}

template <typename Number>
void put_number(std::span<std::byte> bytes, std::size_t at, Number value) {
  for (std::size_t i = 0; i < sizeof(Number); ++i) {
    bytes[at + i] = static_cast<std::byte>(value >> (8 * i));
  }
}

Error no_layout(std::string_view what) {
  return Error{ErrorCode::data_loss,
               fmt::format("the attribute {} of the file system is no layout of stripes: {}",
                           lustre::layout_attribute, what)};
}

/// Of a layout v1 or v3 for the bytes [begin, end) of a file.
Result<StripeComponent> parse_plain(std::span<const std::byte> bytes, std::int64_t begin,
                                    std::int64_t end) {
  if (bytes.size() < lustre::bytes_v1) {
    return no_layout(fmt::format("{} bytes, expected {} or more", bytes.size(), lustre::bytes_v1));
  }
  const auto magic = number_at<std::uint32_t>(bytes, 0);
  if (magic != lustre::magic_v1 && magic != lustre::magic_v3) {
    return no_layout(fmt::format("magic {:#x}, expected {:#x} or {:#x}", magic, lustre::magic_v1,
                                 lustre::magic_v3));
  }
  if (magic == lustre::magic_v3 && bytes.size() < lustre::bytes_v3) {
    return no_layout(fmt::format("{} bytes, expected {} or more", bytes.size(), lustre::bytes_v3));
  }
  const auto stripe_bytes = number_at<std::uint32_t>(bytes, lustre::stripe_size_at);
  const auto count = number_at<std::uint16_t>(bytes, lustre::stripe_count_at);
  const auto pattern = number_at<std::uint32_t>(bytes, lustre::pattern_at);
  if (stripe_bytes % lustre::stripe_unit != 0) {
    return no_layout(fmt::format("stripes of {} bytes, expected a multiple of {}", stripe_bytes,
                                 lustre::stripe_unit));
  }
  StripeComponent component{begin, end, std::int64_t{stripe_bytes}, std::int64_t{count}};
  if (count >= lustre::least_all_targets) {
    component.stripe_count = all_stripes;
  }
  if ((pattern & lustre::pattern_metadata_server) != 0) {
    component.stripe_count = 1;
  }
  return component;
}

/// One entry of a composite layout.
struct CompositeEntry {
  std::uint32_t mirror = 0;
  bool holds_data = false;
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::span<const std::byte> layout;
};

Result<std::int64_t> file_offset(std::uint64_t offset) {
  if (offset == lustre::end_of_file) {
    return INT64_MAX;
  }
  if (offset > static_cast<std::uint64_t>(INT64_MAX)) {
    return no_layout("a component beyond 2^63");
  }
  return static_cast<std::int64_t>(offset);
}

Result<CompositeEntry> parse_entry(std::span<const std::byte> bytes, std::size_t first_layout,
                                   std::size_t number) {
  const auto entry =
      bytes.subspan(lustre::composite_bytes + number * lustre::entry_bytes, lustre::entry_bytes);
  CompositeEntry parsed;
  parsed.mirror = number_at<std::uint32_t>(entry, lustre::entry_id_at) & lustre::mirror_mask;
  parsed.holds_data = (number_at<std::uint32_t>(entry, lustre::entry_flags_at) &
                       (lustre::entry_stale | lustre::entry_extension | lustre::entry_parity)) == 0;
  SHARDMARK_ASSIGN_OR_RETURN(parsed.begin,
                             file_offset(number_at<std::uint64_t>(entry, lustre::entry_begin_at)));
  SHARDMARK_ASSIGN_OR_RETURN(parsed.end,
                             file_offset(number_at<std::uint64_t>(entry, lustre::entry_end_at)));
  const std::size_t at = number_at<std::uint32_t>(entry, lustre::entry_offset_at);
  const std::size_t size = number_at<std::uint32_t>(entry, lustre::entry_size_at);
  if (at < first_layout || at > bytes.size() || size > bytes.size() - at) {
    return no_layout(fmt::format("component {} lies at {} of {} bytes", number, at, bytes.size()));
  }
  if (parsed.begin >= parsed.end) {
    return no_layout(fmt::format("component {} ends before it begins", number));
  }
  parsed.layout = bytes.subspan(at, size);
  return parsed;
}

Result<Striping> parse_composite(std::span<const std::byte> bytes) {
  if (bytes.size() < lustre::composite_bytes) {
    return no_layout(
        fmt::format("{} bytes, expected {} or more", bytes.size(), lustre::composite_bytes));
  }
  const std::size_t size = number_at<std::uint32_t>(bytes, lustre::composite_size_at);
  const std::size_t count = number_at<std::uint16_t>(bytes, lustre::entry_count_at);
  const std::size_t first_layout = lustre::composite_bytes + count * lustre::entry_bytes;
  if (size > bytes.size() || size < first_layout) {
    return no_layout(fmt::format("{} components in {} of {} bytes", count, size, bytes.size()));
  }
  bytes = bytes.first(size);
  Striping striping;
  std::optional<std::uint32_t> mirror;
  for (std::size_t i = 0; i < count; ++i) {
    SHARDMARK_ASSIGN_OR_RETURN(const CompositeEntry entry, parse_entry(bytes, first_layout, i));
    if (!entry.holds_data || entry.mirror != mirror.value_or(entry.mirror)) {
      continue;
    }
    mirror = entry.mirror;
    SHARDMARK_ASSIGN_OR_RETURN(const StripeComponent component,
                               parse_plain(entry.layout, entry.begin, entry.end));
    striping.components.push_back(component);
  }
  std::ranges::sort(striping.components, {}, &StripeComponent::begin);
  for (std::size_t i = 1; i < striping.components.size(); ++i) {
    if (striping.components[i].begin < striping.components[i - 1].end) {
      return no_layout("two components have the same bytes");
    }
  }
  return striping;
}

}  // namespace

Result<Striping> parse_lustre_layout(std::span<const std::byte> bytes) {
  if (bytes.size() >= sizeof(std::uint32_t) &&
      number_at<std::uint32_t>(bytes, 0) == lustre::magic_composite) {
    return parse_composite(bytes);
  }
  SHARDMARK_ASSIGN_OR_RETURN(const StripeComponent component, parse_plain(bytes, 0, INT64_MAX));
  return Striping{{component}};
}

Result<std::vector<std::byte>> make_lustre_layout(std::span<const std::byte> inherited,
                                                  std::int64_t stripe_bytes,
                                                  std::int64_t stripe_count) {
  std::vector<std::byte> layout(lustre::bytes_v1, std::byte{0});
  put_number(std::span(layout), 0, lustre::magic_v1);
  if (!inherited.empty()) {
    SHARDMARK_ASSIGN_OR_RETURN(const Striping has, parse_lustre_layout(inherited));
    if (!has.components.empty()) {
      // Of components, those of large files are in the last.
      const StripeComponent& last = has.components.back();
      stripe_bytes = stripe_bytes == 0 ? last.stripe_bytes : stripe_bytes;
      stripe_count = stripe_count == 0 ? last.stripe_count : stripe_count;
    }
    if (number_at<std::uint32_t>(inherited, 0) == lustre::magic_v3) {
      layout.resize(lustre::bytes_v3);
      put_number(std::span(layout), 0, lustre::magic_v3);
      std::copy_n(inherited.begin() + lustre::pool_at, lustre::bytes_v3 - lustre::pool_at,
                  layout.begin() + lustre::pool_at);
    }
  }
  put_number(std::span(layout), lustre::pattern_at, lustre::pattern_raid0);
  put_number(std::span(layout), lustre::stripe_size_at, static_cast<std::uint32_t>(stripe_bytes));
  put_number(
      std::span(layout), lustre::stripe_count_at,
      stripe_count == all_stripes ? lustre::all_targets : static_cast<std::uint16_t>(stripe_count));
  put_number(std::span(layout), lustre::stripe_offset_at, lustre::any_target);
  return layout;
}

}  // namespace shardmark
