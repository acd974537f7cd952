// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/directory/unfinished.hpp"

#include <filesystem>
#include <set>

#include "shardmark/storage/directory/step_ownership.hpp"

namespace shardmark {
namespace {

std::mutex& mutex() {
  static std::mutex instance;
  return instance;
}

std::set<std::string>& paths() {
  static std::set<std::string> instance;
  return instance;
}

}  // namespace

std::unique_lock<std::mutex> hold_unfinished() {
  return std::unique_lock(mutex());
}

void add_unfinished(const std::string& path) {
  paths().insert(path);
}

void forget_unfinished(const std::string& path) {
  paths().erase(path);
}

void hide_unfinished() noexcept {
  mutex().lock();  // for ever: a commit that waits for it must not happen
  std::set<std::string> hidden;
  for (const std::string& path : paths()) {
    hidden.insert(hide_checkpoint(path).value_or(path));
  }
  paths() = std::move(hidden);
}

void remove_unfinished() noexcept {
  for (const std::string& path : paths()) {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
}

}  // namespace shardmark
