// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/commands/chunks_command.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "bench/text/human_units.hpp"
#include "bench/text/printed_json.hpp"
#include "bench/text/table.hpp"

namespace shardmark::bench {
namespace {

/// Calls `take(rank, coordinate, boxes)` for every rank, ascending. Where a rank holds nothing and
/// its type lists nothing, the list has one empty box past the end of dimension 0.
template <typename Take>
Status for_each_rank(const ChunksDistribution& distribution, const Take& take) {
  Box nothing = whole_box(distribution.shape);
  if (nothing.ndim() > 0) {
    nothing.offsets[0] = std::exchange(nothing.sizes[0], 0);
  }
  for (std::int64_t rank = 0; rank < distribution.mesh.size(); ++rank) {
    const auto coordinate = distribution.mesh.coordinate(rank);
    SHARDMARK_ASSERT(coordinate.has_value(), "a row-major mesh holds ranks 0 to size - 1");
    SHARDMARK_ASSIGN_OR_RETURN(std::vector<Box> boxes, distribution.boxes_of(rank));
    if (boxes.empty() && nothing.ndim() > 0) {
      boxes.push_back(nothing);
    }
    take(rank, *coordinate, boxes);
  }
  return {};
}

nlohmann::ordered_json as_json(const Dims& dims) {
  return std::vector<std::int64_t>(dims.begin(), dims.end());
}

Result<CommandOutput> json_output(const ChunksDistribution& request) {
  nlohmann::ordered_json document;
  document["shape"] = as_json(request.shape);
  document["mesh"] = as_json(request.mesh.shape());
  document["placements"] = nlohmann::ordered_json::array();
  for (const Placement& placement : request.placements) {
    document["placements"].push_back(to_string(placement));
  }
  auto& ranks = document["ranks"] = nlohmann::ordered_json::array();
  SHARDMARK_RETURN_IF_ERROR(
      for_each_rank(request, [&](std::int64_t rank, const Dims&, const std::vector<Box>& boxes) {
        auto chunks = nlohmann::ordered_json::array();
        for (const Box& box : boxes) {
          chunks.push_back({{"offsets", as_json(box.offsets)}, {"sizes", as_json(box.sizes)}});
        }
        ranks.push_back({{"rank", rank}, {"chunks", std::move(chunks)}});
      }));
  return CommandOutput{printed_json(document, -1)};
}

Result<CommandOutput> table_output(const ChunksDistribution& request) {
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
      for_each_rank(request, [&](std::int64_t rank, const Dims& at, const std::vector<Box>& boxes) {
        for (const Box& box : boxes) {
          table.add_row({fmt::format("{}", rank), to_string(at), to_string(box.offsets),
                         to_string(box.sizes), format_count(box.num_elements())});
        }
      }));
  return CommandOutput{fmt::format("tensor {} on mesh {}, placements {}\n\n{}",
                                   to_string(request.shape), to_string(request.mesh.shape()),
                                   fmt::join(placements, ","), table.text(text_style(stdout)))};
}

}  // namespace

Result<CommandOutput> chunks_command(const ChunksArguments& arguments) {
  SHARDMARK_ASSIGN_OR_RETURN(const ChunksDistribution distribution, parse_distribution(arguments));
  return arguments.json ? json_output(distribution) : table_output(distribution);
}

}  // namespace shardmark::bench
