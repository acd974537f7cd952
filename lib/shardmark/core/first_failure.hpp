// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "shardmark/core/result.hpp"

namespace shardmark {

/// Local. For steps that must all be taken, whatever became of those before (closing, or what is
/// collective): `kept` stays the failure that came first.
inline void keep_first_failure(Status& kept, const Status& next) {
  if (kept) {
    kept = next;
  }
}

}  // namespace shardmark
