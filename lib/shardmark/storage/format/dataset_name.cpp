// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/format/dataset_name.hpp"

#include <fmt/format.h>

#include "shardmark/protocol/state_dict.hpp"

namespace shardmark {
namespace {

bool needs_escape(unsigned char byte) {
  return byte < 0x20 || byte == 0x7F || byte == '/' || byte == '%';
}

int hex_value(char digit) {
  if (digit >= '0' && digit <= '9') {
    return digit - '0';
  }
  return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

}  // namespace

Result<std::string> dataset_name(std::string_view fqn) {
  SHARDMARK_RETURN_IF_ERROR(check_fqn(fqn));
  if (fqn.empty()) {
    return std::string("%");
  }
  if (fqn == ".") {
    return std::string("%2E");
  }
  std::string name;
  name.reserve(fqn.size());
  for (const char c : fqn) {
    const auto byte = static_cast<unsigned char>(c);
    if (needs_escape(byte)) {
      name += fmt::format("%{:02X}", byte);
    } else {
      name += c;
    }
  }
  if (name.size() > max_fqn_bytes) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("fqn '{}...' takes {} bytes as an HDF5 name, at most {} are supported",
                             fqn.substr(0, 60), name.size(), max_fqn_bytes)};
  }
  return name;
}

Result<std::string> fqn_of_dataset(std::string_view name) {
  std::string fqn;
  if (name != "%") {
    for (std::size_t i = 0; i < name.size(); ++i) {
      if (name[i] != '%') {
        fqn += name[i];
        continue;
      }
      const int high = i + 2 < name.size() ? hex_value(name[i + 1]) : -1;
      const int low = i + 2 < name.size() ? hex_value(name[i + 2]) : -1;
      if (high < 0 || low < 0) {
        return Error{ErrorCode::data_loss, fmt::format("'{}' is not an encoded name", name)};
      }
      fqn += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  const auto again = dataset_name(fqn);
  if (!again || *again != name) {
    return Error{ErrorCode::data_loss, fmt::format("'{}' is not an encoded name", name)};
  }
  return fqn;
}

}  // namespace shardmark
