// SPDX-License-Identifier: Apache-2.0
// Mutates seeds and a stored corpus without libFuzzer, so that any compiler can run the targets:
//   TARGET [--runs N] [--seed S] [--dump DIRECTORY] [CORPUS DIRECTORY...]
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>

#include "shardmark/testing/fuzz/fuzz_target.hpp"

namespace {

using Input = std::vector<std::byte>;

Input read_input(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  Input input(text.size());
  std::transform(text.begin(), text.end(), input.begin(),
                 [](char c) { return static_cast<std::byte>(c); });
  return input;
}

void run(const Input& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
}

class Mutator {
 public:
  Mutator(std::uint64_t seed, const std::vector<Input>& corpus) : engine_(seed), corpus_(corpus) {}

  Input next() {
    Input input = corpus_[below(corpus_.size())];
    for (std::size_t n = 1 + below(4); n > 0; --n) {
      change(input);
    }
    return input;
  }

 private:
  std::size_t below(std::size_t limit) {
    return limit == 0 ? 0 : static_cast<std::size_t>(engine_() % limit);
  }

  void change(Input& input) {
    constexpr std::byte edges[] = {std::byte{0},    std::byte{1},    std::byte{0x7F},
                                   std::byte{0x80}, std::byte{0xFF}, std::byte{8}};
    const std::size_t at = below(input.size());
    switch (below(7)) {
      case 0:
        if (!input.empty()) {
          input[at] ^= static_cast<std::byte>(1U << below(8));
        }
        return;
      case 1:
        if (!input.empty()) {
          input[at] = edges[below(std::size(edges))];
        }
        return;
      case 2:
        input.resize(at);
        return;
      case 3:
        input.insert(input.begin() + static_cast<std::ptrdiff_t>(at),
                     edges[below(std::size(edges))]);
        return;
      case 4:
        if (!input.empty()) {
          input.erase(input.begin() + static_cast<std::ptrdiff_t>(at));
        }
        return;
      case 5:  // a number of up to ten bytes
        for (std::size_t i = 1 + below(9); i > 0; --i) {
          input.insert(input.begin() + static_cast<std::ptrdiff_t>(at),
                       static_cast<std::byte>(0x80 | engine_() % 0x80));
        }
        return;
      default: {  // the head of one, the tail of another
        const Input& other = corpus_[below(corpus_.size())];
        const std::size_t from = below(other.size());
        input.resize(at);
        input.insert(input.end(), other.begin() + static_cast<std::ptrdiff_t>(from), other.end());
      }
    }
  }

  std::mt19937_64 engine_;
  const std::vector<Input>& corpus_;
};

void dump(const std::vector<Input>& seeds, const std::filesystem::path& directory) {
  std::filesystem::create_directories(directory);
  for (std::size_t i = 0; i < seeds.size(); ++i) {
    std::ofstream file(directory / fmt::format("seed-{:02}", i), std::ios::binary);
    file.write(reinterpret_cast<const char*>(seeds[i].data()),
               static_cast<std::streamsize>(seeds[i].size()));
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t runs = 20'000;
  std::uint64_t seed = std::random_device()();
  std::vector<Input> corpus = shardmark::testing::fuzz_seeds();
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const bool has_value = i + 1 < argc;
    if (argument == "--runs" && has_value) {
      runs = std::strtoull(argv[++i], nullptr, 10);
    } else if (argument == "--seed" && has_value) {
      seed = std::strtoull(argv[++i], nullptr, 10);
    } else if (argument == "--dump" && has_value) {
      dump(corpus, argv[++i]);
      return 0;
    } else {
      for (const auto& file : std::filesystem::directory_iterator(argv[i])) {
        corpus.push_back(read_input(file.path()));
      }
    }
  }
  fmt::print("{} runs, seed {}, corpus of {}\n", runs, seed, corpus.size());
  std::fflush(stdout);
  for (const Input& input : corpus) {
    run(input);
  }
  Mutator mutator(seed, corpus);
  for (std::uint64_t i = 0; i < runs; ++i) {
    run(mutator.next());
  }
  fmt::print("no finding\n");
  return 0;
}
