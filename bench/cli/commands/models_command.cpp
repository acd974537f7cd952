// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/commands/models_command.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "bench/text/human_units.hpp"
#include "bench/text/printed_json.hpp"
#include "bench/text/table.hpp"
#include "shardmark/core/nearest_name.hpp"
#include "shardmark/workload/catalog.hpp"

namespace shardmark::bench {
namespace {

using nlohmann::ordered_json;

struct ModelSummary {
  Model model;
  std::int64_t parameters = 0;
  std::int64_t num_bytes = 0;
  std::int64_t num_bytes_with_optimizer = 0;
};

Result<ModelSummary> summarise(std::string_view name) {
  ModelSummary summary;
  SHARDMARK_ASSIGN_OR_RETURN(summary.model, make_model({std::string(name), {}, {}, "adamw"}));
  summary.parameters = num_elements(summary.model.tensors);
  summary.num_bytes = num_bytes(summary.model.tensors);
  summary.num_bytes_with_optimizer = num_bytes_with_optimizer(summary.model);
  return summary;
}

ordered_json summary_document(const ModelSummary& summary) {
  return {{"name", summary.model.name},
          {"parameters", summary.parameters},
          {"tensors", summary.model.tensors.size()},
          {"num_bytes", summary.num_bytes},
          {"num_bytes_with_optimizer", summary.num_bytes_with_optimizer}};
}

std::string tensors_table(const Model& model) {
  Table table({{"tensor"}, {"dtype"}, {"shape"}, {"bytes", Table::Align::right}});
  for (const TensorSpec& tensor : model.tensors) {
    table.add_row({tensor.fqn, std::string(dtype_name(tensor.dtype)), to_string(tensor.shape),
                   format_count(volume(tensor.shape) * element_size(tensor.dtype))});
  }
  return table.text(text_style(stdout));
}

Result<CommandOutput> one_model(const std::string& name, bool json) {
  const auto names = model_names();
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    return Error{ErrorCode::not_found,
                 fmt::format("unknown model '{}', expected one of {}{}", name,
                             fmt::join(names, ", "), did_you_mean(name, names))};
  }
  SHARDMARK_ASSIGN_OR_RETURN(const ModelSummary summary, summarise(name));
  if (!json) {
    return CommandOutput{
        fmt::format("{}: {} parameters in {} tensors, {}; {} with AdamW state\n\n{}", name,
                    format_count(summary.parameters), summary.model.tensors.size(),
                    format_bytes(summary.num_bytes), format_bytes(summary.num_bytes_with_optimizer),
                    tensors_table(summary.model))};
  }
  ordered_json document = summary_document(summary);
  document["tensor_list"] = ordered_json::array();
  for (const TensorSpec& tensor : summary.model.tensors) {
    document["tensor_list"].push_back(
        {{"fqn", tensor.fqn},
         {"dtype", dtype_name(tensor.dtype)},
         {"shape", std::vector<std::int64_t>(tensor.shape.begin(), tensor.shape.end())}});
  }
  return CommandOutput{printed_json(document)};
}

}  // namespace

Result<CommandOutput> models_command(const ModelsArguments& arguments) {
  if (!arguments.name.empty()) {
    return one_model(arguments.name, arguments.json);
  }
  ordered_json document = ordered_json::array();
  Table table({{"model"},
               {"parameters", Table::Align::right},
               {"tensors", Table::Align::right},
               {"bytes", Table::Align::right},
               {"with AdamW", Table::Align::right}});
  for (const std::string_view name : model_names()) {
    SHARDMARK_ASSIGN_OR_RETURN(const ModelSummary summary, summarise(name));
    document.push_back(summary_document(summary));
    table.add_row({std::string(name), format_count(summary.parameters),
                   fmt::format("{}", summary.model.tensors.size()), format_bytes(summary.num_bytes),
                   format_bytes(summary.num_bytes_with_optimizer)});
  }
  return CommandOutput{arguments.json ? printed_json(document) : table.text(text_style(stdout))};
}

}  // namespace shardmark::bench
