// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <new>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "shardmark/core/result.hpp"

namespace shardmark {

/// Local. What `work` returns. Errors: no_space where it found no memory: an exception that leaves
/// a thread would end the rank without a word.
template <typename Work>
Status guarded(const Work& work) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return Error{ErrorCode::no_space, "a thread of this rank found no memory"};
  }
}

/// Local. Runs `work` on a thread of its own, the last of `threads`. Errors: no_space where the
/// system gives no thread (ulimit -u, pids of a control group).
template <typename Work>
Status start_thread(std::vector<std::thread>& threads, Work work) {
  try {
    threads.emplace_back(std::move(work));
    return {};
  } catch (const std::system_error& failed) {
    return Error{ErrorCode::no_space,
                 std::string("the system gives this rank no thread: ") + failed.what()};
  } catch (const std::bad_alloc&) {
    return Error{ErrorCode::no_space, "this rank has no memory for a thread"};
  }
}

/// Local. Runs `work` on up to `count` threads. Errors: as start_thread(), where there is none for
/// it and none before.
template <typename Work>
Status start_threads(std::vector<std::thread>& threads, int count, const Work& work) {
  for (int i = 0; i < count; ++i) {
    if (Status begun = start_thread(threads, work); !begun) {
      return threads.empty() ? begun : Status();  // one is enough
    }
  }
  return {};
}

}  // namespace shardmark
