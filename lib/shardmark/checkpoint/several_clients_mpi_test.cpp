// SPDX-License-Identifier: Apache-2.0
// Saves by ranks that do not trust each other's view of a file: as if each were on a client of the
// file system of its own, with every way of writing.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <string>

#include "shardmark/checkpoint/inspect.hpp"
#include "shardmark/checkpoint/load.hpp"
#include "shardmark/checkpoint/save.hpp"
#include "shardmark/storage/raw/structure_hash.hpp"
#include "shardmark/testing/filled_state.hpp"
#include "shardmark/testing/mpi_world.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark {
namespace {

using shardmark::testing::FilledState;
using shardmark::testing::TemporaryDirectory;
using shardmark::testing::world;

/// Pieces of many pages, of parts of one, rows that interleave with other ranks'.
void add_odd_tensors(FilledState& s, bool transposed = false) {
  const Dims mesh{world().size()};
  const int cut = transposed ? 1 : 0;
  s.add("large", {251, 509}, {Placement::shard(cut)}, mesh);
  s.add("columns", {257, 101}, {Placement::shard(1 - cut)}, mesh);
  s.add("replica", {99}, {Placement::replicate()}, mesh);
  s.add("scalar", {}, {Placement::replicate()}, mesh);
  s.add("other scalar", {}, {Placement::replicate()}, mesh);
  s.add("empty", {0, 4}, {Placement::shard(0)}, mesh);
}

void flip(const std::string& path, std::int64_t at) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(at);
  const int byte = file.get();
  file.seekp(at);
  file.put(static_cast<char>(byte ^ 32));
}

/// True if the checkpoint is refused or its verification finds something.
bool is_found_out(const SaveOptions& options) {
  const auto summary = inspect_checkpoint(options.directory, options.step);
  return !summary || !verify_checkpoint(*summary)->errors.empty();
}

/// Local. One bit outside the elements of every file, wherever it is.
void damage_every_file(const SaveOptions& options, const CheckpointSummary& summary) {
  const auto elements = element_ranges(summary.manifest);
  for (std::size_t i = 0; i < summary.files.size(); ++i) {
    const std::string path = summary.directory + "/" + summary.files[i].path;
    const auto outside = ranges_outside(elements[i], summary.files[i].num_bytes);
    for (std::size_t n = 0; n < outside.size(); n += std::max<std::size_t>(1, outside.size() / 3)) {
      for (const std::int64_t at : {outside[n].first, outside[n].second - 1}) {
        flip(path, at);
        EXPECT_TRUE(is_found_out(options)) << path << " at " << at;
        flip(path, at);
      }
    }
  }
  EXPECT_FALSE(is_found_out(options));
}

struct Way {
  Backend backend;
  FileLayout layout;
  IoMode io;
};

class SeveralClients : public ::testing::TestWithParam<Way> {};

TEST_P(SeveralClients, WriteWhatLoadsAtAnotherSharding) {
  const TemporaryDirectory directory(world());
  FilledState state(world());
  add_odd_tensors(state);
  state.fill(9);
  std::array<std::byte, 24> object{};
  object.fill(std::byte{4});
  ASSERT_TRUE(state.state.add_object("step", std::span<const std::byte>(object)));
  SaveOptions options;
  options.directory = directory.path() + "/checkpoints";
  options.storage.backend = GetParam().backend;
  options.storage.layout = GetParam().layout;
  options.storage.io = GetParam().io;
  options.storage.groups = 2;
  options.storage.coherence = Coherence::no;
  for (const ChecksumKind checksum : {ChecksumKind::xxh3, ChecksumKind::none}) {
    options.step += 1;
    options.storage.checksum = checksum;
    const auto saved = save(state.state, options, world());
    ASSERT_TRUE(saved) << saved.error().message;
    EXPECT_EQ(world().all_reduce(saved->bytes_written, MPI_SUM),
              saved->num_bytes + saved->inventory.checksum_bytes);
    const auto summary = inspect_checkpoint(options.directory, options.step);
    ASSERT_TRUE(summary) << summary.error().message;
    const auto verified = verify_checkpoint(*summary);
    ASSERT_TRUE(verified) << verified.error().message;
    EXPECT_TRUE(verified->errors.empty());
    EXPECT_EQ(verified->has_checksums, checksum == ChecksumKind::xxh3);

    FilledState loaded(world());
    add_odd_tensors(loaded, true);
    std::array<std::byte, 24> loaded_object{};
    ASSERT_TRUE(loaded.state.add_object("step", std::span<std::byte>(loaded_object)));
    LoadOptions load_options;
    load_options.directory = options.directory;
    load_options.backend = options.storage.backend;
    load_options.io = options.storage.io;
    load_options.checksum = ChecksumMode::full;
    const auto got = load(loaded.state, load_options, world());
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(loaded.count_wrong(9), 0);
    EXPECT_EQ(loaded_object, object);
    if (world().is_root()) {
      damage_every_file(options, *summary);
    }
    world().barrier();
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, SeveralClients,
    ::testing::Values(Way{Backend::hdf5, FileLayout::shared, IoMode::direct},
                      Way{Backend::hdf5, FileLayout::shared_chunked, IoMode::direct},
                      Way{Backend::hdf5, FileLayout::groups, IoMode::direct},
                      Way{Backend::hdf5, FileLayout::packed, IoMode::direct},
                      Way{Backend::hdf5, FileLayout::shared, IoMode::collective},
                      Way{Backend::hdf5, FileLayout::per_rank, IoMode::independent},
                      Way{Backend::posix, FileLayout::automatic, IoMode::direct},
                      Way{Backend::posix_shared, FileLayout::automatic, IoMode::direct},
                      Way{Backend::mpiio, FileLayout::automatic, IoMode::direct}),
    [](const auto& test) {
      std::string name =
          fmt::format("{}_{}_{}", backend_name(test.param.backend),
                      file_layout_name(test.param.layout), io_mode_name(test.param.io));
      std::replace(name.begin(), name.end(), '-', '_');
      return name;
    });

}  // namespace
}  // namespace shardmark
