// SPDX-License-Identifier: Apache-2.0
// Files of others are read where their tensors lie, whatever cuts them, and little else of them.
#include "bench/load/safetensors_source.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/load/given_checkpoint.hpp"
#include "bench/suite/run_suite.hpp"
#include "shardmark/testing/mpi_world.hpp"
#include "shardmark/testing/temporary_directory.hpp"
#include "shardmark/workload/workload.hpp"

namespace shardmark::bench {
namespace {

using ::testing::HasSubstr;

using shardmark::testing::world;

/// A byte that tells where it stands.
char byte_at(const std::string& name, std::uint64_t i) {
  std::uint64_t word =
      (i + 1) * 0x9E3779B97F4A7C15ULL + name.size() * 131 + static_cast<unsigned char>(name.back());
  word ^= word >> 29;
  return static_cast<char>(word * 0xBF58476D1CE4E5B9ULL >> 56);
}

struct Tensor {
  std::string name;
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::int64_t itemsize;

  std::int64_t num_bytes() const {
    std::int64_t product = itemsize;
    for (const std::int64_t extent : shape) {
      product *= extent;
    }
    return product;
  }
};

const std::vector<Tensor> first = {{"model.layers.0.self_attn.q_proj.weight", "BF16", {64, 96}, 2},
                                   {"model.layers.0.self_attn.o_proj.weight", "BF16", {96, 64}, 2},
                                   {"scalar", "F32", {}, 4},
                                   {"empty", "F32", {0, 3}, 4}};
const std::vector<Tensor> second = {{"model.layers.1.mlp.down_proj.weight", "F32", {48, 512}, 4},
                                    {"model.norm.weight", "F32", {512}, 4},
                                    {"odd", "U8", {7}, 1}};

void write_file(const std::string& path, const std::vector<Tensor>& tensors) {
  nlohmann::json header;
  std::int64_t at = 0;
  for (const Tensor& tensor : tensors) {
    header[tensor.name] = {{"dtype", tensor.dtype},
                           {"shape", tensor.shape},
                           {"data_offsets", {at, at + tensor.num_bytes()}}};
    at += tensor.num_bytes();
  }
  const std::string text = header.dump();
  std::ofstream file(path, std::ios::binary);
  const std::uint64_t length = text.size();
  file.write(reinterpret_cast<const char*>(&length), sizeof(length));
  file << text;
  for (const Tensor& tensor : tensors) {
    for (std::int64_t i = 0; i < tensor.num_bytes(); ++i) {
      file.put(byte_at(tensor.name, static_cast<std::uint64_t>(i)));
    }
  }
}

class Foreign : public ::testing::Test {
 protected:
  Foreign() {
    options_.suite = "smoke";
    options_.directory = directory_.path() + "/out";
    options_.command_line = {"shardmark", "run", "smoke"};
    options_.overwrite = true;
    if (world().is_root()) {
      std::filesystem::create_directory(folder_);
      write_file(folder_ + "/a.safetensors", first);
      write_file(folder_ + "/b.safetensors", second);
      nlohmann::json map;
      for (const Tensor& tensor : first) {
        map[tensor.name] = "a.safetensors";
      }
      for (const Tensor& tensor : second) {
        map[tensor.name] = "b.safetensors";
      }
      std::ofstream(index_) << nlohmann::json{{"weight_map", map}}.dump();
    }
    world().barrier();
  }

  std::vector<SweepCase> points(const std::string& from, std::vector<std::string> overrides,
                                const std::string& sweep = "") const {
    const std::string path = directory_.path() + "/suite.toml";
    world().barrier();
    if (world().is_root()) {
      std::ofstream(path) << "model.name = \"tiny\"\nparallel.strategy = \"fsdp\"\n"
                             "model.optimizer = \"none\"\nrun.benchmarks = [\"load\"]\n"
                             "run.repetitions = 2\nrun.warmup = 0\n[sweep]\n"
                          << sweep;
    }
    world().barrier();
    overrides.push_back("load.from=" + from);
    const auto document = read_config(path, overrides);
    EXPECT_TRUE(document) << document.error().message;
    auto found = resolve_sweep(*document);
    EXPECT_TRUE(found) << found.error().message;
    return found ? *found : std::vector<SweepCase>();
  }

  testing::TemporaryDirectory directory_{world()};
  SuiteOptions options_;
  std::string folder_ = directory_.path() + "/hub";
  std::string index_ = folder_ + "/model.safetensors.index.json";
};

/// As the hub's cache has it: links to files elsewhere, named by their contents.
TEST_F(Foreign, AreLoadedThroughLinks) {
  const std::string snapshot = directory_.path() + "/snap shots/1";
  if (world().is_root()) {
    std::filesystem::create_directories(snapshot);
    for (const auto& file : std::filesystem::directory_iterator(folder_)) {
      std::filesystem::create_symlink("../../hub/" + file.path().filename().string(),
                                      snapshot + "/" + file.path().filename().string());
    }
  }
  world().barrier();
  const auto outcome =
      run_suite(points(snapshot, {"model.safetensors=" + snapshot}, ""), options_, world());
  ASSERT_TRUE(outcome) << outcome.error().message;
  EXPECT_FALSE(outcome->error) << outcome->error->message;
}

TEST_F(Foreign, TensorsAreWhereTheHeadersSay) {
  for (const std::string& from : {index_, folder_}) {
    ASSERT_TRUE(is_safetensors(from));
    const auto source = open_safetensors(from);
    ASSERT_TRUE(source) << source.error().message;
    const Manifest& manifest = (*source)->manifest;
    ASSERT_EQ(manifest.entries.entries.size(), first.size() + second.size());
    for (const std::vector<Tensor>& tensors : {first, second}) {
      for (const Tensor& tensor : tensors) {
        const auto at = manifest.entries.find(tensor.name);
        ASSERT_TRUE(at);
        const Entry& entry = manifest.entries.entries[*at];
        EXPECT_EQ(entry.num_bytes(), tensor.num_bytes());
        if (entry.num_chunks == 0) {
          continue;
        }
        const StoredPiece piece = manifest.piece_of(*at, entry.first_chunk);
        std::ifstream file((*source)->directory + "/" + manifest.files[piece.file],
                           std::ios::binary);
        file.seekg(piece.address);
        for (std::int64_t i = 0; i < tensor.num_bytes(); ++i) {
          ASSERT_EQ(static_cast<char>(file.get()),
                    byte_at(tensor.name, static_cast<std::uint64_t>(i)))
              << tensor.name;
        }
      }
    }
  }
  EXPECT_FALSE(is_safetensors(directory_.path()));
}

TEST_F(Foreign, AreLoadedUnderAnyStrategyAndComparedWithTheFiles) {
  const auto outcome =
      run_suite(points(index_, {"model.safetensors=" + index_},
                       "\"parallel.strategy\" = [\"ddp\", \"fsdp\", \"fsdp-tp\", \"megatron\"]\n"),
                options_, world());
  ASSERT_TRUE(outcome) << outcome.error().message;
  EXPECT_FALSE(outcome->error) << outcome->error->message;
  if (!world().is_root()) {
    return;
  }
  std::int64_t all = 0;
  for (const std::vector<Tensor>& tensors : {first, second}) {
    for (const Tensor& tensor : tensors) {
      all += tensor.num_bytes();
    }
  }
  std::ifstream stream(options_.directory + "/samples.json");
  const auto document = nlohmann::json::parse(stream);
  EXPECT_EQ(document["samples"].size(), 8U);
  for (const auto& sample : document["samples"]) {
    const std::string name = sample["name"];
    EXPECT_THAT(name, HasSubstr("/safetensors-direct-given/"));
    EXPECT_EQ(sample["verified"], true) << name;
    EXPECT_EQ(sample["case"]["from"], index_);
    // What is wanted together is read once; each wants all between them.
    EXPECT_LE(sample["bytes_read"].get<double>(), 1.05 * static_cast<double>(all)) << name;
    EXPECT_GE(sample["num_bytes"].get<std::int64_t>(), all) << name;
  }
}

TEST_F(Foreign, WhatDoesNotFitIsNamedBeforeAnythingRuns) {
  const auto refusal = [&](const std::string& from, std::vector<std::string> overrides) {
    const auto outcome = run_suite(points(from, std::move(overrides)), options_, world());
    EXPECT_FALSE(outcome);
    return outcome ? Error{} : outcome.error();
  };
  const Error missing = refusal(folder_ + "/a.safetensors", {"model.safetensors=" + index_});
  EXPECT_EQ(missing.code, ErrorCode::not_found) << missing.message;
  EXPECT_THAT(missing.message, HasSubstr("model.layers.1.mlp.down_proj.weight"));
  const Error dtype = refusal(index_, {"model.safetensors=" + index_, "model.dtype=float64"});
  EXPECT_EQ(dtype.code, ErrorCode::mismatch) << dtype.message;
  const Error state = refusal(index_, {"model.safetensors=" + index_, "model.optimizer=adamw"});
  EXPECT_THAT(state.message, HasSubstr("model.optimizer"));
  EXPECT_EQ(refusal(folder_ + "/none.safetensors", {"model.safetensors=" + index_}).code,
            ErrorCode::not_found);
}

TEST_F(Foreign, AWrongByteInMemoryIsFound) {
  const auto source = open_safetensors(index_);
  ASSERT_TRUE(source);
  WorkloadOptions options;
  options.model.name = "hub";
  options.model.safetensors = index_;
  options.model.optimizer = "none";
  options.parallel.strategy = "fsdp";
  auto workload = Workload::make(options, world().rank(), world().size(), Memory::allocate);
  ASSERT_TRUE(workload) << workload.error().message;
  workload->poison();
  const Status poisoned = compare_with_files(std::as_const(*workload).state_dict(), **source);
  ASSERT_FALSE(poisoned);
  EXPECT_EQ(poisoned.error().code, ErrorCode::data_loss);
}

}  // namespace
}  // namespace shardmark::bench
