// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

#include "shardmark/core/dtype.hpp"

namespace shardmark {

/// Local. How elements of a dtype of the job file are held here: by the very type, or as unsigned
/// integers of its width. nullopt for a name that a job file does not have.
std::optional<Dtype> job_dtype(std::string_view name) noexcept;

}  // namespace shardmark
