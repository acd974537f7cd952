// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "shardmark/storage/directory/leftovers.hpp"
#include "shardmark/storage/directory/owner_record.hpp"
#include "shardmark/storage/directory/step_names.hpp"
#include "shardmark/storage/format/commit_record.hpp"

// What the tests of directories make and look at.
namespace shardmark::directory_test {

namespace fs = std::filesystem;

inline void write_text(const fs::path& path, std::string_view text = "x") {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

inline std::string text_of(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline int num_swept(const std::string& directory, const SweepRules& rules = {}) {
  const auto report = sweep_leftovers(directory, rules);
  EXPECT_TRUE(report) << report.error().message;
  return report ? report->swept : -1;
}

/// What somebody wrote who is dead, of this kernel and process namespace.
inline std::string text_of_dead_owner() {
  const pid_t child = ::fork();
  if (child == 0) {
    ::_exit(0);
  }
  OwnerRecord record = own_record();
  record.pid = child;
  ::waitpid(child, nullptr, 0);
  return to_text(record);
}

/// What somebody wrote on another host.
inline std::string text_of_other_host() {
  OwnerRecord record = own_record();
  record.host = "elsewhere";
  record.boot = "00000000-0000-0000-0000-000000000000";
  return to_text(record);
}

inline void set_age(const fs::path& path, double seconds) {
  const auto before = std::chrono::duration<double>(seconds);
  fs::last_write_time(path, fs::file_time_type::clock::now() -
                                std::chrono::duration_cast<fs::file_time_type::duration>(before));
}

inline CommitRecord record_of(const std::string& save_id, std::int64_t step) {
  return {save_id, step, {{entry_file_name, 0}}, 0, 0, 1};
}

inline void make_step(const fs::path& folder, std::int64_t step, const std::string& save_id) {
  write_text(folder / step_name(step) / "COMMIT", to_text(record_of(save_id, step)));
}

}  // namespace shardmark::directory_test
