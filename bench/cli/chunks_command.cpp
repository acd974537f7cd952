// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/chunks_command.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "bench/cli/human_units.hpp"
#include "bench/cli/table.hpp"
#include "shardmark/core/nearest_name.hpp"
#include "shardmark/protocol/device_mesh.hpp"
#include "shardmark/protocol/placement.hpp"
#include "shardmark/protocol/shard_rule.hpp"

namespace shardmark::bench {
namespace {

// What a person or a script can still make use of, and memory can hold.
constexpr std::int64_t max_boxes = std::int64_t{1} << 22;

struct Request {
  Dims shape;
  DeviceMesh mesh;
  std::vector<Placement> placements;  // shard dimensions not negative
};

Result<Dims> parse_dims(const std::string& option, std::string_view text) {
  std::vector<std::int64_t> values;
  std::string_view rest = text;
  while (!text.empty()) {
    const std::string_view part = rest.substr(0, rest.find(','));
    std::string_view digits = part;
    while (digits.starts_with(' ')) {
      digits.remove_prefix(1);
    }
    while (digits.ends_with(' ')) {
      digits.remove_suffix(1);
    }
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size() || value < 0) {
      return Error{ErrorCode::invalid_argument,
                   fmt::format("{} '{}': found '{}', expected extents from 0 to 2^63 - 1 separated "
                               "by commas, as in 10,7",
                               option, text, part)};
    }
    values.push_back(value);
    if (part.size() == rest.size()) {
      break;
    }
    rest.remove_prefix(part.size() + 1);
  }
  auto dims = Dims::from(values);
  if (!dims) {
    return Error{dims.error().code, fmt::format("{} '{}': {}", option, text, dims.error().message)};
  }
  return dims;
}

Status check_type(const std::string& type) {
  if (type == "dtensor") {
    return {};
  }
  constexpr std::array<std::string_view, 5> types = {"dtensor", "sharded", "flat", "ragged",
                                                     "block-cyclic"};
  if (std::find(types.begin(), types.end(), type) != types.end()) {
    return Error{ErrorCode::unsupported,
                 fmt::format("--type {} is not available in this version, expected dtensor", type)};
  }
  return Error{ErrorCode::invalid_argument,
               fmt::format("--type: found '{}', expected one of {}{}", type, fmt::join(types, ", "),
                           did_you_mean(type, types))};
}

/// At most this many boxes will be listed: strided placements leave several a rank.
Status check_count(const Request& request) {
  std::int64_t boxes = request.mesh.size();
  for (const Placement& placement : request.placements) {
    if (placement.kind == PlacementKind::strided_shard && boxes <= max_boxes) {
      const std::int64_t extent = request.shape[placement.dim];
      const std::int64_t pieces = std::min({placement.split_factor, extent, max_boxes + 1});
      boxes *= std::max<std::int64_t>(pieces, 1);
    }
  }
  if (boxes > max_boxes) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("mesh {} with these placements may have more than {} boxes, expected "
                             "a smaller mesh or split factor",
                             to_string(request.mesh.shape()), max_boxes)};
  }
  return {};
}

Result<Request> parse_request(const ChunksArguments& arguments) {
  Request request;
  SHARDMARK_RETURN_IF_ERROR(check_type(arguments.type));
  SHARDMARK_ASSIGN_OR_RETURN(request.shape, parse_dims("--shape", arguments.shape));
  SHARDMARK_ASSIGN_OR_RETURN(const Dims mesh_shape, parse_dims("--mesh", arguments.mesh));
  if (mesh_shape.empty()) {
    return Error{ErrorCode::invalid_argument,
                 "--mesh: found nothing, expected at least one extent, as in 2,3"};
  }
  SHARDMARK_ASSIGN_OR_RETURN(request.mesh, DeviceMesh::row_major(mesh_shape));
  SHARDMARK_ASSIGN_OR_RETURN(request.placements, parse_placements(arguments.placements));
  SHARDMARK_RETURN_IF_ERROR(check_placements(request.shape, mesh_shape, request.placements));
  for (Placement& placement : request.placements) {
    const bool sharded =
        placement.kind == PlacementKind::shard || placement.kind == PlacementKind::strided_shard;
    if (sharded && placement.dim < 0) {
      placement.dim += request.shape.ndim();
    }
  }
  SHARDMARK_RETURN_IF_ERROR(check_count(request));
  return request;
}

/// Calls `take(rank, coordinate, shard)` for every rank, ascending.
template <typename Take>
Status for_each_rank(const Request& request, const Take& take) {
  for (std::int64_t rank = 0; rank < request.mesh.size(); ++rank) {
    const auto coordinate = request.mesh.coordinate(rank);
    SHARDMARK_ASSERT(coordinate.has_value(), "a row-major mesh holds ranks 0 to size - 1");
    SHARDMARK_ASSIGN_OR_RETURN(
        const LocalShard shard,
        compute_local_shard(request.shape, request.mesh.shape(), *coordinate, request.placements));
    take(rank, *coordinate, shard);
  }
  return {};
}

nlohmann::ordered_json as_json(const Dims& dims) {
  return std::vector<std::int64_t>(dims.begin(), dims.end());
}

Result<CommandOutput> json_output(const Request& request) {
  nlohmann::ordered_json document;
  document["shape"] = as_json(request.shape);
  document["mesh"] = as_json(request.mesh.shape());
  document["placements"] = nlohmann::ordered_json::array();
  for (const Placement& placement : request.placements) {
    document["placements"].push_back(to_string(placement));
  }
  auto& ranks = document["ranks"] = nlohmann::ordered_json::array();
  SHARDMARK_RETURN_IF_ERROR(
      for_each_rank(request, [&](std::int64_t rank, const Dims&, const LocalShard& shard) {
        auto chunks = nlohmann::ordered_json::array();
        for (const LocalBox& part : shard.boxes) {
          chunks.push_back(
              {{"offsets", as_json(part.box.offsets)}, {"sizes", as_json(part.box.sizes)}});
        }
        ranks.push_back({{"rank", rank}, {"chunks", std::move(chunks)}});
      }));
  return CommandOutput{document.dump() + "\n"};
}

Result<CommandOutput> table_output(const Request& request) {
  std::vector<std::string> placements;
  for (const Placement& placement : request.placements) {
    placements.push_back(to_string(placement));
  }
  Table table({{"rank", Table::Align::right},
               {"coordinate"},
               {"offsets"},
               {"sizes"},
               {"elements", Table::Align::right}});
  SHARDMARK_RETURN_IF_ERROR(
      for_each_rank(request, [&](std::int64_t rank, const Dims& at, const LocalShard& shard) {
        for (const LocalBox& part : shard.boxes) {
          table.add_row({fmt::format("{}", rank), to_string(at), to_string(part.box.offsets),
                         to_string(part.box.sizes), format_count(part.box.num_elements())});
        }
      }));
  return CommandOutput{fmt::format("tensor {} on mesh {}, placements {}\n\n{}",
                                   to_string(request.shape), to_string(request.mesh.shape()),
                                   fmt::join(placements, ","), table.text(text_style(stdout)))};
}

}  // namespace

Result<CommandOutput> chunks_command(const ChunksArguments& arguments) {
  SHARDMARK_ASSIGN_OR_RETURN(const Request request, parse_request(arguments));
  return arguments.json ? json_output(request) : table_output(request);
}

}  // namespace shardmark::bench
