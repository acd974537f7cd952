// SPDX-License-Identifier: Apache-2.0
#include "bench/config/config_lookup.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "shardmark/core/nearest_name.hpp"

namespace shardmark::bench {
namespace {

namespace fs = std::filesystem;

bool is_file(const std::string& path) {
  std::error_code ignored;
  return fs::exists(path, ignored) && !fs::is_directory(path, ignored);
}

std::string with_extension(const std::string& name) {
  return name.ends_with(".toml") ? name : name + ".toml";
}

void append_once(std::vector<std::string>& list, const std::string& text) {
  if (std::find(list.begin(), list.end(), text) == list.end()) {
    list.push_back(text);
  }
}

/// Both a configs folder and the folder around it may be named.
std::string configs_folder(const std::string& path) {
  std::error_code ignored;
  const bool around = !fs::is_directory(fs::path(path) / "suites", ignored) &&
                      fs::is_directory(fs::path(path) / "configs", ignored);
  return around ? path + "/configs" : path;
}

/// Names of the .toml files of a folder, without the extension, each after `prefix`.
void append_names(const fs::path& folder, const std::string& prefix,
                  std::vector<std::string>& names) {
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() == ".toml") {
      append_once(names, prefix + it->path().stem().string());
    }
  }
}

std::string hint(const std::string& name, std::vector<std::string> known) {
  std::sort(known.begin(), known.end());
  const std::vector<std::string_view> views(known.begin(), known.end());
  std::string text = did_you_mean(name, views);
  if (text.empty() && !known.empty() && known.size() <= 20) {
    text = fmt::format("; there is {}", fmt::join(known, ", "));
  }
  return text;
}

}  // namespace

std::vector<std::string> config_roots() {
  std::vector<std::string> roots;
  if (const char* variable = std::getenv("SHARDMARK_CONFIG_PATH"); variable != nullptr) {
    std::string_view rest = variable;
    while (!rest.empty()) {
      const std::size_t colon = std::min(rest.find(':'), rest.size());
      if (colon > 0) {
        append_once(roots, configs_folder(std::string(rest.substr(0, colon))));
      }
      rest.remove_prefix(std::min(colon + 1, rest.size()));
    }
  }
  append_once(roots, SHARDMARK_SOURCE_CONFIGS);
  std::error_code error;
  const fs::path executable = fs::read_symlink("/proc/self/exe", error);
  if (!error) {
    append_once(roots,
                (executable.parent_path().parent_path() / "share/shardmark/configs").string());
  }
  return roots;
}

std::vector<std::string> suite_names(std::span<const std::string> roots) {
  std::vector<std::string> names;
  for (const std::string& root : roots) {
    append_names(fs::path(root) / "suites", "", names);
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::string> find_config(const std::string& config, std::span<const std::string> roots) {
  if (config.empty()) {
    return Error{ErrorCode::not_found,
                 "the configuration's name is empty, expected a name under suites/ or a path"};
  }
  if (config.find('/') != std::string::npos || config.ends_with(".toml")) {
    if (std::error_code ignored; fs::exists(config, ignored)) {
      return config;
    }
    return Error{
        ErrorCode::not_found,
        fmt::format(
            "configuration '{}' not found: a name with '/' or .toml is a path, and there is no such file",
            config)};
  }
  std::vector<std::string> tried;
  for (const std::string& root : roots) {
    tried.push_back(fmt::format("{}/suites/{}.toml", root, config));
    if (is_file(tried.back())) {
      return tried.back();
    }
  }
  return Error{ErrorCode::not_found,
               fmt::format("configuration '{}' not found; tried {}{}", config,
                           fmt::join(tried, ", "), hint(config, suite_names(roots)))};
}

Result<std::string> find_piece(const std::string& piece, const std::string& including_file,
                               std::span<const std::string> roots) {
  // A suite that lies in a configs folder of its own brings its pieces along.
  std::vector<std::string> places;
  const fs::path folder = fs::path(including_file).parent_path();
  constexpr std::array<std::string_view, 4> kinds = {"models", "layouts", "storage", "suites"};
  if (std::find(kinds.begin(), kinds.end(), folder.filename().string()) != kinds.end()) {
    const std::string own = folder.parent_path().string();
    places.push_back(own.empty() ? "." : own);
  }
  for (const std::string& root : roots) {
    append_once(places, root);
  }
  std::vector<std::string> tried;
  std::vector<std::string> names;
  for (const std::string& place : places) {
    tried.push_back(fmt::format("{}/{}", place, with_extension(piece)));
    if (is_file(tried.back())) {
      return tried.back();
    }
    for (const std::string_view kind : kinds) {
      append_names(fs::path(place) / kind, fmt::format("{}/", kind), names);
    }
  }
  return Error{ErrorCode::not_found, fmt::format("include '{}' not found; tried {}{}", piece,
                                                 fmt::join(tried, ", "), hint(piece, names))};
}

}  // namespace shardmark::bench
