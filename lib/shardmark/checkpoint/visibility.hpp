// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "shardmark/core/result.hpp"

namespace shardmark {

/// One of several observers of a checkpoint, who share its files.
struct ObserverPart {
  int index = 0;
  int count = 1;
};

/// Local. Opens a committed step as a load would and checks one chunk of every file that falls to
/// this part (all of them between the parts). Errors: not_found while the step is not there;
/// data_loss, io_error.
Status check_visible(const std::string& directory, std::int64_t step, const ObserverPart& part);

/// Local. check_visible() every millisecond until it holds, whatever is wrong meanwhile. Returns
/// how many looks it took: who looks more than once may see what its node remembers of the looks
/// before. Errors, after `timeout_s` seconds: that of the last look, saying that the step is
/// committed.
Result<std::int64_t> wait_until_visible(const std::string& directory, std::int64_t step,
                                        const ObserverPart& part, double timeout_s = 60);

}  // namespace shardmark
