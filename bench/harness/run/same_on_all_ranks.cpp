// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/run/same_on_all_ranks.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <sstream>

namespace shardmark::bench {
namespace {

// Between words, which may hold any other byte.
constexpr char separator = '\0';

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> words;
  std::istringstream stream(text);
  for (std::string word; std::getline(stream, word, separator);) {
    words.push_back(word);
  }
  return words;
}

std::string word_at(const std::vector<std::string>& words, std::size_t at) {
  return at < words.size() ? fmt::format("'{}'", words[at]) : "nothing more";
}

}  // namespace

Status same_on_all_ranks(std::string_view what, const std::vector<std::string>& words,
                         const Communicator& comm) {
  const std::string mine = fmt::format("{}", fmt::join(words, std::string(1, separator)));
  std::string theirs = mine;
  comm.broadcast(theirs);
  Status status;
  if (mine != theirs) {
    const std::vector<std::string> root_words = split(theirs);
    const auto first =
        std::mismatch(words.begin(), words.end(), root_words.begin(), root_words.end()).first;
    const auto at = static_cast<std::size_t>(first - words.begin());
    status = Error{ErrorCode::invalid_argument,
                   fmt::format("ranks were started with different {}: {} here, {} on rank 0", what,
                               word_at(words, at), word_at(root_words, at))};
  }
  return comm.agree(std::move(status));
}

}  // namespace shardmark::bench
