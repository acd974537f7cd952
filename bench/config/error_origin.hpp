// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <utility>

#include "bench/config/config.hpp"
#include "bench/config/resolve.hpp"
#include "shardmark/core/result.hpp"

namespace shardmark::bench {

/// Local. The error with the place where the key was written that its message begins with, as in
/// "suite.toml:7: model.name ...". Who uses a value knows its key and not its place. Unchanged
/// where the message begins with no key, with one from the command line, or nobody wrote it.
Error with_origin(Error error, const Config& config);

/// Local. The first of `points` that knows the place.
Error with_origin(Error error, std::span<const SweepCase> points);

/// Local. Likewise of a Result or Status.
template <typename T>
T with_origin(T result, const Config& config) {
  return result ? std::move(result) : T(with_origin(result.error(), config));
}

}  // namespace shardmark::bench
