// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "bench/text/text_style.hpp"
#include "shardmark/core/result.hpp"

namespace shardmark::bench {

/// Local. {"error": {"code", "message", "rank"}} and a line break; code is the exit code.
std::string error_document(const Error& error);
std::string error_document(int code, const std::string& message, int rank);

/// Local. The one message for stderr: at most six lines, the rest cut. On a terminal long lines
/// break between words, where six lines are enough for that.
std::string error_message(const Error& error, const TextStyle& style);

}  // namespace shardmark::bench
