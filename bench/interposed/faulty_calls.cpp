// SPDX-License-Identifier: Apache-2.0
#include "bench/interposed/faulty_calls.hpp"

#include <array>
#include <atomic>
#include <cstdlib>
#include <vector>

#include "bench/interposed/watched_calls.hpp"

namespace shardmark::interposed {
namespace {

constexpr std::size_t num_kinds = static_cast<std::size_t>(CallKind::count);
constexpr std::array<const char*, num_kinds> kind_names = {
    "open-of-mpi", "open",     "read",   "write",  "sync",        "sync-folder",
    "truncate",    "allocate", "rename", "remove", "make-folder", "close"};

/// What the environment asks for.
struct Wish {
  std::string kind;
  long long first = 0;
  int number = 0;
  bool is_short = false;
  bool always = false;
};

Wish wish_of_environment() {
  Wish wish;
  const std::string rank = variable("SHARDMARK_TORTURE_RANK");
  if (!rank.empty() && rank != rank_text()) {
    return wish;
  }
  std::vector<std::string> words(1);
  for (const char c : variable("SHARDMARK_TORTURE_FAULT")) {
    if (c == ':') {
      words.emplace_back();
    } else {
      words.back() += c;
    }
  }
  if (words.size() == 4) {
    wish.kind = words[0];
    wish.first = std::atoll(words[1].c_str());
    wish.is_short = words[2] == "short";
    wish.number = wish.is_short ? 0 : std::atoi(words[2].c_str());
    wish.always = words[3] == "always";
  }
  return wish;
}

void tell(const std::string& line) {
  static const std::string& file = *kept(variable("SHARDMARK_TORTURE_HITS"));
  if (!file.empty()) {
    append_to(file, line.data(), line.size());
  }
}

std::array<std::atomic<long long>, num_kinds>& counts() {
  static std::array<std::atomic<long long>, num_kinds> made{};
  return made;
}

__attribute__((destructor)) void tell_counts() {
  if (variable("SHARDMARK_TORTURE_HITS").empty()) {
    return;
  }
  std::string lines;
  for (std::size_t kind = 0; kind < num_kinds; ++kind) {
    if (const long long count = counts()[kind].load(); count > 0) {
      lines += "count " + rank_text() + " " + kind_names[kind] + " " + std::to_string(count) + "\n";
    }
  }
  tell(lines);
}

}  // namespace

Fault fault_of(CallKind kind, const std::string& path) {
  static const Wish& wish = *kept(wish_of_environment());
  const auto index = static_cast<std::size_t>(kind);
  const long long turn = counts()[index].fetch_add(1);
  if (wish.kind != kind_names[index] || turn < wish.first || (!wish.always && turn != wish.first)) {
    return {};
  }
  tell(std::string("hit ") + kind_names[index] + " " + path + "\n");
  return {wish.number, wish.is_short};
}

}  // namespace shardmark::interposed
