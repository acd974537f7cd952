// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace shardmark {

/// Ends the process: a programming error, never something that user input, a file or another rank
/// can cause.
[[noreturn]] void assertion_failed(const char* condition, const char* message, const char* file,
                                   int line) noexcept;

}  // namespace shardmark

/// On in every build: the checks guard memory and cost nothing beside I/O.
#define SHARDMARK_ASSERT(condition, message) \
  ((condition) ? static_cast<void>(0)        \
               : ::shardmark::assertion_failed(#condition, message, __FILE__, __LINE__))
