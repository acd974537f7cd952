// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/workload/model.hpp"

namespace shardmark {

/// One tensor that a safetensors header names.
struct SafetensorsEntry {
  std::string name;
  Dtype dtype = Dtype::float32;  // as it is held
  std::string published_dtype;   // the format's own name where `dtype` is only of its width
  Dims shape;                    // of what is held: elements below a byte are counted in bytes
  std::uint64_t begin = 0;       // of its bytes, counted from the end of the header
  std::uint64_t end = 0;
  std::string file = {};      // where read_safetensors_header() found it
  std::uint64_t address = 0;  // of its bytes in that file
};

/// Local. Parses the JSON of a header. `data_bytes` is what follows it in the file; 0: the file is
/// the header alone. Entries in the order of their bytes. Errors: invalid_argument, naming the
/// tensor, for anything that is not the format: not JSON, nested too deep, a key twice, an unknown
/// dtype, extents that are no sizes, offsets that disagree with shape and dtype, that overlap,
/// leave a hole or pass the end.
Result<std::vector<SafetensorsEntry>> parse_safetensors_header(std::string_view json,
                                                               std::uint64_t data_bytes);

/// Local. The size of a file that opening cannot hang on. Errors: not_found; invalid_argument for a
/// pipe, a folder or a device.
Result<std::uintmax_t> regular_file_bytes(const std::string& path);

/// Local. Reads the header of one file, no byte of any tensor. Errors: not_found for no such file;
/// invalid_argument, naming the file, for a length that passes the file or 100 MB, and those of
/// parse_safetensors_header().
Result<std::vector<SafetensorsEntry>> read_safetensors_header(const std::string& path);

}  // namespace shardmark
