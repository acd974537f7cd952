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
#include "shardmark/workload/tensor_roles.hpp"

namespace shardmark {
namespace {

constexpr std::uintmax_t max_index_bytes = 100'000'000;

/// A number in a path, as 12 in "model.layers.12.mlp".
struct NumberedPart {
  std::int64_t number = -1;
  std::size_t begin = 0;  // of its digits
  std::size_t end = 0;
};

/// The first number that follows `part`; -1 if there is none.
NumberedPart numbered_part(std::string_view name, std::string_view part) {
  for (std::size_t at = name.find(part); at != std::string_view::npos;
       at = name.find(part, at + 1)) {
    const std::size_t begin = at + part.size();
    const char* const stop = name.data() + name.size();
    std::int32_t number = -1;
    const auto [end, error] = std::from_chars(name.data() + begin, stop, number);
    const bool begins = at == 0 || name[at - 1] == '.';
    if (begins && error == std::errc() && number >= 0 && end != stop && *end == '.') {
      return {number, begin, static_cast<std::size_t>(end - name.data())};
    }
  }
  return {};
}

/// Whatever numbers a weight's experts carry, they count from 0 here: a file may hold experts 3 to
/// 7 of a model.
void number_experts(Model& model) {
  std::set<std::int64_t> counts;
  std::map<std::string, std::vector<std::size_t>> tensors_of;  // by weight, ascending
  std::vector<std::int64_t> published(model.tensors.size(), -1);
  for (std::size_t i = 0; i < model.tensors.size(); ++i) {
    const TensorSpec& tensor = model.tensors[i];
    const NumberedPart part = numbered_part(tensor.fqn, "experts.");
    if (tensor.num_experts > 0) {
      counts.insert(tensor.num_experts);  // all of them in one tensor
    } else if (part.number >= 0 && !tensor.shape.empty()) {
      published[i] = part.number;
      tensors_of[std::string(tensor.fqn).erase(part.begin, part.end - part.begin)].push_back(i);
    }
  }
  for (auto& [weight, tensors] : tensors_of) {
    std::ranges::stable_sort(tensors, {}, [&](std::size_t i) { return published[i]; });
    const auto count = static_cast<std::int64_t>(tensors.size());
    for (std::int64_t number = 0; number < count; ++number) {
      TensorSpec& tensor = model.tensors[tensors[static_cast<std::size_t>(number)]];
      tensor.expert = number;
      tensor.num_experts = count;
    }
    counts.insert(count);
  }
  model.kept_extents.assign(counts.begin(), counts.end());
}

Model model_of(const std::vector<SafetensorsEntry>& entries) {
  Model model;
  const bool is_transposed = std::ranges::any_of(entries, [](const SafetensorsEntry& entry) {
    return shows_transposed_weights(entry.name, entry.shape);
  });
  for (const SafetensorsEntry& entry : entries) {
    TensorSpec tensor;
    tensor.fqn = entry.name;
    tensor.dtype = entry.dtype;
    tensor.published_dtype = entry.published_dtype;
    tensor.shape = entry.shape;
    const auto role = tensor_role(entry.name, entry.shape);
    tensor.tp_cut = role ? role->cut_of(entry.shape, is_transposed) : TpCut::none;
    tensor.has_known_role = role.has_value() || entry.shape.empty();
    if (role && role->holds_experts && entry.shape.ndim() > 1) {
      tensor.num_experts = entry.shape[0];
    }
    std::int64_t layer = numbered_part(entry.name, "layers.").number;
    layer = layer < 0 ? numbered_part(entry.name, "h.").number : layer;
    tensor.layer = static_cast<std::int32_t>(layer);
    model.num_layers = std::max(model.num_layers, tensor.layer + 1);
    model.tensors.push_back(std::move(tensor));
  }
  for (TensorSpec& tensor : model.tensors) {
    constexpr std::string_view last[] = {"norm",    "final_layer_norm", "ln_f",
                                         "lm_head", "embed_out",        "output"};
    if (tensor.layer < 0 && std::ranges::any_of(last, [&](std::string_view part) {
          return has_part(tensor.fqn, part);
        })) {
      tensor.layer = model.num_layers;
    }
  }
  number_experts(model);
  return model;
}

/// tensor name -> file name, as the index says.
Result<std::map<std::string, std::string>> read_index(const std::string& path) {
  const auto broken = [&](std::string_view why) {
    return Error{ErrorCode::invalid_argument, fmt::format("{}: {}", path, why)};
  };
  SHARDMARK_ASSIGN_OR_RETURN(const std::uintmax_t bytes, regular_file_bytes(path));
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return Error{ErrorCode::not_found, fmt::format("{}: cannot be read: permission denied", path)};
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

/// What files hold, and what about them a reader of results should know.
struct Headers {
  std::vector<SafetensorsEntry> entries;
  std::vector<std::string> notes;
};

/// The index decides: what a file holds beyond what is looked for in it is left out.
Result<Headers> read_indexed(const std::string& path) {
  SHARDMARK_ASSIGN_OR_RETURN(auto wanted, read_index(path));
  std::set<std::string> files;
  for (const auto& [name, file] : wanted) {
    files.insert(file);
  }
  Headers headers;
  std::size_t left_out = 0;
  std::string example;
  for (const std::string& name : files) {
    const std::string file = std::filesystem::path(path).parent_path() / name;
    SHARDMARK_ASSIGN_OR_RETURN(auto entries, read_safetensors_header(file));
    for (SafetensorsEntry& entry : entries) {
      const auto listed = wanted.find(entry.name);
      if (listed == wanted.end() || listed->second != name) {
        ++left_out;
        example = fmt::format("'{}' of {}", entry.name, name);
        continue;
      }
      wanted.erase(listed);
      headers.entries.push_back(std::move(entry));
    }
  }
  if (!wanted.empty()) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("{}: tensor '{}' is not in {}", path, wanted.begin()->first,
                             wanted.begin()->second)};
  }
  if (left_out > 0) {
    headers.notes.push_back(
        fmt::format("{} tensors are left out, for the index does not look for them there, as {}",
                    left_out, example));
  }
  return headers;
}

/// All files of a folder that has no index; a name may stand in one of them only.
Result<Headers> read_all(const std::vector<std::string>& files) {
  Headers headers;
  std::map<std::string, const std::string*> file_of;
  for (const std::string& file : files) {
    SHARDMARK_ASSIGN_OR_RETURN(auto entries, read_safetensors_header(file));
    for (SafetensorsEntry& entry : entries) {
      const auto [before, is_new] = file_of.emplace(entry.name, &file);
      if (!is_new) {
        return Error{ErrorCode::invalid_argument,
                     fmt::format("tensor '{}' is in {} and in {}, and no *.safetensors.index.json "
                                 "says which counts",
                                 entry.name, *before->second, file)};
      }
      headers.entries.push_back(std::move(entry));
    }
  }
  return headers;
}

/// A folder as the hub has them: its index, else the file with the known name, else all its files.
Result<Headers> read_folder(const std::string& path) {
  std::error_code failure;
  std::vector<std::string> files;
  std::vector<std::string> indices;
  for (std::filesystem::directory_iterator entry(path, failure), end; !failure && entry != end;
       entry.increment(failure)) {
    const std::string name = entry->path().string();
    if (name.ends_with(".safetensors.index.json")) {
      indices.push_back(name);
    } else if (name.ends_with(".safetensors")) {
      files.push_back(name);
    }
  }
  if (failure) {
    return Error{ErrorCode::not_found,
                 fmt::format("{}: cannot be listed: {}", path, failure.message())};
  }
  std::ranges::sort(files);
  // Beside an adapter's, or the same weights in another form.
  for (const std::string_view known :
       {"model.safetensors.index.json", "adapter_model.safetensors.index.json", "model.safetensors",
        "adapter_model.safetensors"}) {
    const std::string name = (std::filesystem::path(path) / known).string();
    if (std::ranges::find(indices, name) != indices.end()) {
      return read_indexed(name);
    }
    if (std::ranges::find(files, name) != files.end()) {
      Headers headers;
      SHARDMARK_ASSIGN_OR_RETURN(headers.entries, read_safetensors_header(name));
      if (files.size() > 1) {
        headers.notes.push_back(fmt::format("{} more files *.safetensors are left out beside {}",
                                            files.size() - 1, name));
      }
      return headers;
    }
  }
  if (indices.size() > 1) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("{}: has {} files *.safetensors.index.json, expected one: name it",
                             path, indices.size())};
  }
  if (indices.empty() && files.empty()) {
    return Error{ErrorCode::not_found, fmt::format("{}: has no file *.safetensors", path)};
  }
  return indices.empty() ? read_all(files) : read_indexed(indices.front());
}

Result<Headers> read_headers(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    return read_folder(path);
  }
  if (path.ends_with(".json")) {
    return read_indexed(path);
  }
  Headers headers;
  SHARDMARK_ASSIGN_OR_RETURN(headers.entries, read_safetensors_header(path));
  return headers;
}

Result<Headers> read_named(const std::string& path) {
  SHARDMARK_ASSIGN_OR_RETURN(Headers headers, read_headers(path));
  if (headers.entries.empty()) {
    return Error{ErrorCode::invalid_argument, fmt::format("{}: names no tensor", path)};
  }
  for (const SafetensorsEntry& entry : headers.entries) {
    if (const Status named = check_fqn(entry.name); !named) {
      return Error{ErrorCode::invalid_argument, fmt::format("{}: {}", path, named.error().message)};
    }
  }
  return headers;
}

}  // namespace

Result<Model> read_safetensors_model(const std::string& path) {
  SHARDMARK_ASSIGN_OR_RETURN(const Headers headers, read_named(path));
  Model model = model_of(headers.entries);
  model.notes = headers.notes;
  return model;
}

Result<std::vector<SafetensorsEntry>> read_safetensors_entries(const std::string& path) {
  SHARDMARK_ASSIGN_OR_RETURN(Headers headers, read_named(path));
  return std::move(headers.entries);
}

}  // namespace shardmark
