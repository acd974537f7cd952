// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/same_on_all_ranks.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace shardmark::bench {
namespace {

// Between words, which may hold any other byte.
constexpr char separator = '\0';

std::string word_at(std::string_view text, std::size_t at) {
  const std::size_t before = at == 0 ? std::string_view::npos : text.rfind(separator, at - 1);
  const std::size_t start = before == std::string_view::npos ? 0 : before + 1;
  return std::string(text.substr(start, text.find(separator, start) - start));
}

}  // namespace

Status same_on_all_ranks(std::string_view what, const std::vector<std::string>& words,
                         const Communicator& comm) {
  const std::string mine = fmt::format("{}", fmt::join(words, std::string(1, separator)));
  std::string theirs = mine;
  comm.broadcast(theirs);
  Status status;
  if (mine != theirs) {
    const auto [here, there] =
        std::mismatch(mine.begin(), mine.end(), theirs.begin(), theirs.end());
    status = Error{ErrorCode::invalid_argument,
                   fmt::format("ranks were started with different {}: '{}' here, '{}' on rank 0",
                               what, word_at(mine, static_cast<std::size_t>(here - mine.begin())),
                               word_at(theirs, static_cast<std::size_t>(there - theirs.begin())))};
  }
  return comm.agree(std::move(status));
}

}  // namespace shardmark::bench
