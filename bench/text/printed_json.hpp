// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace shardmark::bench {

/// A document of nlohmann::json as commands print it. What is no UTF-8, as in the name of a file,
/// is replaced: a result must not be lost for it.
template <typename Document>
std::string printed_json(const Document& document, int indent = 2) {
  return document.dump(indent, ' ', false, Document::error_handler_t::replace) + "\n";
}

}  // namespace shardmark::bench
