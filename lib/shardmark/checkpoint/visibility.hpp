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

/// Local. check_visible() every millisecond until it holds. Errors: those that waiting does not
/// mend; io_error after `timeout_s` seconds.
Status wait_until_visible(const std::string& directory, std::int64_t step, const ObserverPart& part,
                          double timeout_s = 60);

}  // namespace shardmark
