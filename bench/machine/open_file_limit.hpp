// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/resource.h>

namespace shardmark::bench {

/// Local. As many open files as this process may have: loads of a checkpoint of many files, and
/// saves into the files of many nodes, want more than the usual 1,024.
inline void raise_open_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    static_cast<void>(::setrlimit(RLIMIT_NOFILE, &limit));
  }
}

}  // namespace shardmark::bench
