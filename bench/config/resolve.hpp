// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bench/config/config.hpp"
#include "bench/config/config_document.hpp"
#include "shardmark/core/result.hpp"

namespace shardmark::bench {

/// One point of a sweep.
struct SweepCase {
  Config config;
  /// "section.key" and the value as TOML of every key that the sweep varies, keys ascending.
  std::vector<std::pair<std::string, std::string>> varied;
};

/// Local. The base values, without the sweep: what save, load and plan use.
/// Errors: those of assign(); invalid_argument for a missing key that has no default.
Result<Config> resolve(const ConfigDocument& document);

/// Local. The product of the sweep's lists over the base values, last key fastest; one case without
/// a sweep. Base values of swept keys may be missing or refused. Errors: as resolve(), of any case;
/// more than 10,000 cases.
Result<std::vector<SweepCase>> resolve_sweep(const ConfigDocument& document);

/// Local. Canonical TOML of every key with a value; reading it gives the same Config.
std::string config_text(const Config& config);

/// Local. As config_text, with a [sweep] of the varied keys; reading it gives the same cases.
std::string config_text(std::span<const SweepCase> cases);

/// Local. XXH3-64 of a config_text, 16 hexadecimal digits.
std::string config_hash(const std::string& text);

}  // namespace shardmark::bench
