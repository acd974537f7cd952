// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace shardmark {

inline constexpr std::int64_t max_step = 99'999'999;

/// "step-00000012".
std::string step_name(std::int64_t step);

/// Local. The step of such a name; nullopt for any other text.
std::optional<std::int64_t> step_of_name(std::string_view name);

/// "played-00000012": what some ranks of a bigger world wrote of that step. Never a step.
std::string played_name(std::int64_t step);

/// Local. The step of such a name; nullopt for any other text.
std::optional<std::int64_t> step_of_played_name(std::string_view name);

/// Local. ".step-NNNNNNNN.partial-<hex>": a save under way, or what one left.
bool is_partial_name(std::string_view name);

/// Local. Such a name.
std::string partial_name(std::int64_t step, std::string_view save_id);

/// Local. The save id of such a name.
std::string_view save_id_of_partial(std::string_view name);

/// Local. "run-<16 hex digits>": where a benchmark saves; its id.
std::string run_name(std::string_view run_id);
std::optional<std::string> run_id_of_name(std::string_view name);

/// Local. ".probe-<16 hex digits>": where a file system is tried; one that nobody has.
bool is_probe_name(std::string_view name);
std::string probe_name();

/// Local. ".step-NNNNNNNN.swept-<hex>", or of what is called otherwise above: renamed away to be
/// removed.
bool is_swept_name(std::string_view name);

/// Local. Such a name, which nobody has, for what is called `name` now.
std::string swept_name(std::string_view name);

/// Local. A name for a save that nobody else has: 32 hex digits from the kernel's random source, of
/// which `prefix` (hex digits, fewer than 32) are the first.
std::string make_save_id(std::string_view prefix = {});

}  // namespace shardmark
