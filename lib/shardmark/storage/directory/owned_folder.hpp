// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "shardmark/core/result.hpp"
#include "shardmark/storage/directory/ownership.hpp"

namespace shardmark {

/// Local. Makes the folder `path`, which nobody but this process makes, puts it among what is
/// unfinished and owns it. A sweeper of another job may take a folder while it is empty: then it is
/// made again. `may_be_there`: one that is there and has no living owner is taken over. After an
/// error nothing is left behind. Errors: those of mkdir and of Ownership::take; io_error after ten
/// seconds of that.
Result<std::unique_ptr<Ownership>> make_owned_folder(const std::string& path,
                                                     bool may_be_there = false);

}  // namespace shardmark
