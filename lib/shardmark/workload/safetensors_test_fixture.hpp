// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "shardmark/workload/catalog.hpp"

namespace shardmark::safetensors_test {

/// A file that claims a header of `header_bytes`, then holds `rest`.
inline void write_file(const std::string& path, std::uint64_t header_bytes,
                       const std::string& rest) {
  std::ofstream file(path, std::ios::binary);
  for (int i = 0; i < 8; ++i) {
    file.put(static_cast<char>(header_bytes >> (8 * i) & 0xFF));
  }
  file << rest;
}

/// Header entries one behind another: name, dtype, shape, bytes.
struct Listed {
  std::string name;
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::uint64_t num_bytes;
};

inline void write_tensors(const std::string& path, const std::vector<Listed>& tensors,
                          const nlohmann::json& metadata = {{"format", "pt"}}) {
  nlohmann::ordered_json header;
  header["__metadata__"] = metadata;
  std::uint64_t end = 0;
  for (const Listed& t : tensors) {
    header[t.name] = {
        {"dtype", t.dtype}, {"shape", t.shape}, {"data_offsets", {end, end + t.num_bytes}}};
    end += t.num_bytes;
  }
  const std::string text = header.dump();
  write_file(path, text.size(), text);
}

inline Result<Model> read_model(const std::string& path, bool stacked = false) {
  ModelOptions options;
  options.safetensors = path;
  options.name = "file";
  options.stacked_experts = stacked;
  return make_model(options);
}

}  // namespace shardmark::safetensors_test
