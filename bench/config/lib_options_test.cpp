// SPDX-License-Identifier: Apache-2.0
#include "bench/config/lib_options.hpp"

#include <gtest/gtest.h>

namespace shardmark::bench {
namespace {

TEST(LibOptions, CarryEveryValue) {
  Config config;
  config.model.name = "tiny";
  config.model.scale = 0.5;
  config.model.experts = "stacked";
  config.parallel.strategy = "hsdp";
  config.parallel.dp_shard = 4;
  config.parallel.block_size = 64;
  config.parallel.rules["*.w"] = {"R,S(1)", "f.toml:3"};
  config.storage.layout = "groups:3";
  config.storage.io = "independent";
  config.storage.checksum = "none";
  config.load.replicas = "broadcast";
  config.storage.stripe_size = 1 << 20;
  config.storage.stripe_count = -1;
  const WorkloadOptions workload = workload_options(config);
  EXPECT_EQ(workload.model.name, "tiny");
  EXPECT_EQ(workload.model.scale, 0.5);
  EXPECT_TRUE(workload.model.stacked_experts);
  EXPECT_EQ(workload.parallel.strategy, "hsdp");
  EXPECT_EQ(workload.parallel.dp_shard, 4);
  EXPECT_EQ(workload.parallel.dp_replicate, std::nullopt);
  EXPECT_EQ(workload.parallel.block_size, 64);
  ASSERT_EQ(workload.parallel.rules.size(), 1U);
  EXPECT_EQ(to_string(workload.parallel.rules[0]),
            "f.toml:3: parallel.rules: \"*.w\" = \"R,S(1)\"");
  const StorageOptions storage = storage_options(config);
  EXPECT_EQ(storage.layout, FileLayout::groups);
  EXPECT_EQ(storage.groups, 3);
  EXPECT_EQ(storage.io, IoMode::independent);
  EXPECT_EQ(storage.stripe_bytes, 1 << 20);
  EXPECT_EQ(storage.stripe_count, -1);
  EXPECT_EQ(storage.checksum, ChecksumKind::none);
  EXPECT_EQ(load_options(config, "d", 7).replicas, Replicas::broadcast);
  EXPECT_EQ(load_options(config, "d", 7).step, 7);
}

TEST(LibOptions, DefaultsAreThoseOfTheLibrary) {
  const Config config;
  EXPECT_TRUE(storage_options(config) == StorageOptions{});
  EXPECT_TRUE(load_options(config, "", std::nullopt) == LoadOptions{});
  const SaveOptions save = save_options(config, "", 0, 0);
  EXPECT_EQ(save.dedup, SaveOptions{}.dedup);
  EXPECT_EQ(save.planner, SaveOptions{}.planner);
}

TEST(LibOptions, TellWhatPassesThePageCache) {
  const auto uses = [](const char* backend, const char* io, bool o_direct) {
    StorageConfig storage;
    storage.backend = backend;
    storage.io = io;
    storage.o_direct = o_direct;
    return uses_page_cache(storage);
  };
  EXPECT_FALSE(uses("hdf5", "direct", true));
  EXPECT_TRUE(uses("hdf5", "direct", false));
  EXPECT_TRUE(uses("hdf5", "collective", true)) << "through MPI-IO";
  EXPECT_TRUE(uses("mpiio", "direct", true));
  EXPECT_FALSE(uses("posix", "collective", true)) << "the I/O mode is HDF5's";
  EXPECT_FALSE(uses("null", "collective", false));
}

}  // namespace
}  // namespace shardmark::bench
