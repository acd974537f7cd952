// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/directory/unfinished.hpp"

#include <unistd.h>

#include <map>

#include "shardmark/storage/directory/removal.hpp"
#include "shardmark/storage/directory/step_names.hpp"

namespace shardmark {
namespace {

struct Unfinished {
  std::string was;  // its path before it was hidden
  int owner_descriptor = -1;
};

std::mutex& mutex() {
  static std::mutex instance;
  return instance;
}

/// By path.
std::map<std::string, Unfinished>& folders() {
  static std::map<std::string, Unfinished> instance;
  return instance;
}

std::string run_id_of_path(const std::string& path) {
  return run_id_of_name(path.substr(path.rfind('/') + 1)).value_or("");
}

}  // namespace

std::unique_lock<std::mutex> hold_unfinished() {
  return std::unique_lock(mutex());
}

void add_unfinished(const std::string& path, int owner_descriptor) {
  folders()[path] = {path, owner_descriptor};
}

void forget_unfinished(const std::string& path) {
  folders().erase(path);
}

void hide_unfinished() noexcept {
  mutex().lock();  // for ever: a commit that waits for it must not happen
  std::map<std::string, Unfinished> hidden;
  for (const auto& [path, folder] : folders()) {
    hidden[hide_run_folder(path)] = folder;
  }
  folders() = std::move(hidden);
}

void remove_unfinished() noexcept {
  let_go_of_unfinished();
  for (const auto& [path, folder] : folders()) {
    const std::string run_id = run_id_of_path(folder.was);
    // Ranks that have not left yet may put another file into a folder that is being emptied.
    constexpr int most_tries = 100;
    for (int tries = 0; tries < most_tries; ++tries) {
      if (run_id.empty() ? remove_folder(path) : remove_run_folder(path, run_id)) {
        break;
      }
      ::usleep(20'000);
    }
  }
}

void let_go_of_unfinished() noexcept {
  for (auto& [path, folder] : folders()) {
    if (folder.owner_descriptor >= 0) {
      ::close(folder.owner_descriptor);
      folder.owner_descriptor = -1;
    }
  }
}

}  // namespace shardmark
