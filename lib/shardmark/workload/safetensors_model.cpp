// SPDX-License-Identifier: Apache-2.0
#include "shardmark/workload/safetensors_model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "shardmark/protocol/state_dict.hpp"
#include "shardmark/workload/safetensors_header.hpp"

namespace shardmark {
namespace {

constexpr std::uintmax_t max_index_bytes = 100'000'000;

/// The number after a path part, as 12 in "model.layers.12.mlp"; -1 if there is none.
std::int64_t number_after(std::string_view name, std::string_view part) {
  for (std::size_t at = name.find(part); at != std::string_view::npos;
       at = name.find(part, at + 1)) {
    const std::string_view rest = name.substr(at + part.size());
    std::int32_t number = -1;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    const bool begins = at == 0 || name[at - 1] == '.';
    if (begins && error == std::errc() && number >= 0 && end != rest.data() + rest.size() &&
        *end == '.') {
      return number;
    }
  }
  return -1;
}

bool has_part(std::string_view name, std::string_view part) {
  const std::size_t at = name.find(part);
  return at != std::string_view::npos && (at == 0 || name[at - 1] == '.') &&
         (at + part.size() == name.size() || name[at + part.size()] == '.');
}

TpCut cut_by_name(std::string_view name, int ndim) {
  for (const char* column :
       {"q_proj", "k_proj", "v_proj", "gate_proj", "up_proj", "w1", "w3", "qkv_proj",
        "gate_up_proj", "q_b_proj", "kv_b_proj", "embed_tokens", "lm_head"}) {
    if (has_part(name, column)) {
      return TpCut::dim_0;
    }
  }
  for (const char* row : {"o_proj", "down_proj", "w2"}) {
    if (has_part(name, row)) {
      return ndim > 1 ? TpCut::dim_1 : TpCut::none;  // a row-parallel bias is not cut
    }
  }
  return TpCut::none;
}

Model model_of(const std::vector<SafetensorsEntry>& entries) {
  Model model;
  std::map<std::string, std::int64_t> experts;  // by weight, its number of experts
  const auto weight_of = [](std::string name) {
    const std::size_t at = name.find("experts.") + 8;
    return name.erase(at, name.find('.', at) - at);
  };
  for (const SafetensorsEntry& entry : entries) {
    TensorSpec tensor;
    tensor.fqn = entry.name;
    tensor.dtype = entry.dtype;
    tensor.shape = entry.shape;
    tensor.tp_cut = cut_by_name(entry.name, entry.shape.ndim());
    std::int64_t layer = number_after(entry.name, "layers.");
    layer = layer < 0 ? number_after(entry.name, "h.") : layer;
    tensor.layer = static_cast<std::int32_t>(layer);
    tensor.expert = entry.shape.empty() ? -1 : number_after(entry.name, "experts.");
    if (tensor.expert >= 0) {
      std::int64_t& count = experts[weight_of(entry.name)];
      count = std::max(count, tensor.expert + 1);
    }
    model.num_layers = std::max(model.num_layers, tensor.layer + 1);
    model.tensors.push_back(std::move(tensor));
  }
  for (TensorSpec& tensor : model.tensors) {
    const bool at_the_end = has_part(tensor.fqn, "norm") || has_part(tensor.fqn, "ln_f") ||
                            has_part(tensor.fqn, "lm_head");
    if (tensor.layer < 0 && at_the_end) {
      tensor.layer = model.num_layers;
    }
    if (tensor.expert >= 0) {
      tensor.num_experts = experts[weight_of(tensor.fqn)];
      if (std::find(model.kept_extents.begin(), model.kept_extents.end(), tensor.num_experts) ==
          model.kept_extents.end()) {
        model.kept_extents.push_back(tensor.num_experts);
      }
    }
  }
  return model;
}

/// tensor name -> file name, as the index says.
Result<std::map<std::string, std::string>> read_index(const std::string& path) {
  const auto broken = [&](std::string_view why) {
    return Error{ErrorCode::invalid_argument, fmt::format("{}: {}", path, why)};
  };
  std::error_code failure;
  const std::uintmax_t bytes = std::filesystem::file_size(path, failure);
  std::ifstream file(path, std::ios::binary);
  if (failure || !file) {
    return Error{ErrorCode::not_found,
                 fmt::format("{}: cannot be read: {}", path, failure.message())};
  }
  if (bytes > max_index_bytes) {
    return broken(fmt::format("has {} bytes, the limit is {}", bytes, max_index_bytes));
  }
  bool twice = false;
  std::set<std::string> names;
  const auto watch = [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& value) {
    if (event == nlohmann::json::parse_event_t::key && depth == 2) {
      twice = twice || !names.insert(value.get<std::string>()).second;
    }
    return depth <= 3;
  };
  const nlohmann::json index = nlohmann::json::parse(file, watch, false);
  if (index.is_discarded() || !index.is_object() || !index.contains("weight_map") ||
      !index["weight_map"].is_object()) {
    return broken("is not JSON with an object \"weight_map\"");
  }
  if (twice) {
    return broken("names a tensor twice");
  }
  std::map<std::string, std::string> map;
  for (const auto& [name, target] : index["weight_map"].items()) {
    const std::string text = target.is_string() ? target.get<std::string>() : std::string();
    if (text.empty() || text == "." || text == ".." || text.find('/') != std::string::npos) {
      return broken(
          fmt::format("tensor '{}' is in '{}', expected the name of a file beside the "
                      "index",
                      name, text));
    }
    map.emplace(name, text);
  }
  return map;
}

Result<std::vector<SafetensorsEntry>> read_sharded(const std::string& path) {
  SHARDMARK_ASSIGN_OR_RETURN(const auto map, read_index(path));
  std::set<std::string> files;
  for (const auto& [name, file] : map) {
    files.insert(file);
  }
  std::vector<SafetensorsEntry> all;
  std::size_t found = 0;
  for (const std::string& name : files) {
    const std::string file = std::filesystem::path(path).parent_path() / name;
    SHARDMARK_ASSIGN_OR_RETURN(auto entries, read_safetensors_header(file));
    for (SafetensorsEntry& entry : entries) {
      const auto listed = map.find(entry.name);
      if (listed == map.end() || listed->second != name) {
        return Error{ErrorCode::invalid_argument,
                     fmt::format("{}: tensor '{}' lies in {}, where the index does not look", path,
                                 entry.name, name)};
      }
      ++found;
      all.push_back(std::move(entry));
    }
  }
  if (found != map.size()) {
    for (const SafetensorsEntry& entry : all) {
      files.insert(entry.name);
    }
    const auto missing = std::find_if(
        map.begin(), map.end(), [&](const auto& listed) { return !files.contains(listed.first); });
    return Error{ErrorCode::invalid_argument, fmt::format("{}: tensor '{}' is not in {}", path,
                                                          missing->first, missing->second)};
  }
  return all;
}

}  // namespace

Result<Model> read_safetensors_model(const std::string& path) {
  std::vector<SafetensorsEntry> entries;
  if (path.ends_with(".json")) {
    SHARDMARK_ASSIGN_OR_RETURN(entries, read_sharded(path));
  } else {
    SHARDMARK_ASSIGN_OR_RETURN(entries, read_safetensors_header(path));
  }
  if (entries.empty()) {
    return Error{ErrorCode::invalid_argument, fmt::format("{}: names no tensor", path)};
  }
  for (const SafetensorsEntry& entry : entries) {
    if (const Status named = check_fqn(entry.name); !named) {
      return Error{ErrorCode::invalid_argument, fmt::format("{}: {}", path, named.error().message)};
    }
  }
  return model_of(entries);
}

}  // namespace shardmark
