// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace shardmark {

// What a file system lacks or does otherwise, found while working on it: not an error, but whoever
// reads the results, or relies on what was saved, must be told. Kept for the whole process, each
// text once.

/// Local; any thread. `text` is a sentence without a full stop that says what is missing and what
/// that means.
void add_notice(const std::string& text);

/// Local. All so far, in the order in which they came.
std::vector<std::string> all_notices();

/// Local. Those since the last call, each handed out once.
std::vector<std::string> take_new_notices();

}  // namespace shardmark
