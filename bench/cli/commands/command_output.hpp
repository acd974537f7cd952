// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "shardmark/core/result.hpp"

namespace shardmark::bench {

/// What a command prints on stdout: one JSON document or a report, ending in a line break.
struct CommandOutput {
  std::string text;
  /// Set where the command has a result and failed all the same, as `inspect --verify` of a damaged
  /// checkpoint: `text` is printed, then the message; the exit code is the error's. A JSON document
  /// holds it as "error" already.
  std::optional<Error> error = {};
};

}  // namespace shardmark::bench
