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

/// How long an observer looks on.
struct Patience {
  double missing_s = 60;  // while what it sees is not whole: NFS remembers what was not there
  double failing_s = 10;  // while every look ends with a failure of the storage
};

/// Local. check_visible() every millisecond until it holds. Returns how many looks it took: who
/// looks more than once may see what its node remembers of the looks before. Errors, when its
/// patience ends: that of the last look, saying that the step is committed.
Result<std::int64_t> wait_until_visible(const std::string& directory, std::int64_t step,
                                        const ObserverPart& part, const Patience& patience = {});

}  // namespace shardmark
