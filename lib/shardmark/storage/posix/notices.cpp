// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/posix/notices.hpp"

#include <algorithm>
#include <mutex>

namespace shardmark {
namespace {

struct Notices {
  std::mutex mutex;
  std::vector<std::string> texts;
  std::size_t taken = 0;  // of them
};

Notices& notices() {
  static Notices instance;
  return instance;
}

}  // namespace

void add_notice(const std::string& text) {
  Notices& all = notices();
  const std::scoped_lock lock(all.mutex);
  if (std::ranges::find(all.texts, text) == all.texts.end()) {
    all.texts.push_back(text);
  }
}

std::vector<std::string> all_notices() {
  Notices& all = notices();
  const std::scoped_lock lock(all.mutex);
  return all.texts;
}

std::vector<std::string> take_new_notices() {
  Notices& all = notices();
  const std::scoped_lock lock(all.mutex);
  std::vector<std::string> fresh(all.texts.begin() + static_cast<std::ptrdiff_t>(all.taken),
                                 all.texts.end());
  all.taken = all.texts.size();
  return fresh;
}

}  // namespace shardmark
