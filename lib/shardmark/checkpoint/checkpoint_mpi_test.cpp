// SPDX-License-Identifier: Apache-2.0
// Whole saves and loads on real ranks: every I/O mode, resharding, failures that must be the same
// everywhere.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "shardmark/checkpoint/inspect.hpp"
#include "shardmark/checkpoint/load.hpp"
#include "shardmark/checkpoint/save.hpp"
#include "shardmark/storage/directory/committed_steps.hpp"
#include "shardmark/storage/hdf5/files/kept_entry_file.hpp"
#include "shardmark/tensor/plain_tensor.hpp"
#include "shardmark/testing/filled_state.hpp"
#include "shardmark/testing/mpi_world.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark {
namespace {

using shardmark::testing::FilledState;
using shardmark::testing::TemporaryDirectory;
using shardmark::testing::world;
using ::testing::HasSubstr;

void add_rows(FilledState& s) {
  const Dims mesh{world().size()};
  s.add("rows", {13, 6}, {Placement::shard(0)}, mesh);
  s.add("columns", {5, 11}, {Placement::shard(1)}, mesh);
  s.add("strided", {17, 3}, {Placement::strided_shard(0, 2)}, mesh);
  s.add("replica", {9}, {Placement::replicate()}, mesh);
  s.add("scalar", {}, {Placement::replicate()}, mesh);
  s.add("empty", {0, 4}, {Placement::shard(0)}, mesh);
  s.add("one", {1}, {Placement::shard(0)}, mesh);
}

/// The same names and shapes, every one laid out differently.
void add_transposed(FilledState& s) {
  const Dims mesh{world().size()};
  s.add("rows", {13, 6}, {Placement::shard(1)}, mesh);
  s.add("columns", {5, 11}, {Placement::strided_shard(1, 3)}, mesh);
  s.add("strided", {17, 3}, {Placement::shard(1)}, mesh);
  s.add("replica", {9}, {Placement::shard(0)}, mesh);
  s.add("scalar", {}, {Placement::replicate()}, mesh);
  s.add("empty", {0, 4}, {Placement::shard(1)}, mesh);
  s.add("one", {1}, {Placement::replicate()}, mesh);
}

SaveOptions options_for(const TemporaryDirectory& directory, std::int64_t step, IoMode io) {
  SaveOptions options;
  options.directory = directory.path() + "/checkpoints";
  options.step = step;
  options.storage.io = io;
  return options;
}

struct Storage {
  FileLayout layout;
  IoMode io;
  ExchangeLevel exchange = ExchangeLevel::automatic;
};

class EveryStorage : public ::testing::TestWithParam<Storage> {
 protected:
  static SaveOptions save_options(const TemporaryDirectory& directory, std::int64_t step) {
    SaveOptions options = options_for(directory, step, GetParam().io);
    options.storage.layout = GetParam().layout;
    options.storage.groups = 2;
    options.storage.exchange = GetParam().exchange;
    return options;
  }
  static LoadOptions load_options(const SaveOptions& saved, ChecksumMode checksum, IoMode io) {
    LoadOptions options;
    options.directory = saved.directory;
    options.checksum = checksum;
    options.io = io;
    options.sieve_gap = 16;
    options.exchange = GetParam().exchange;
    return options;
  }
};

class SomeStorage : public EveryStorage {};

/// The file and the byte in it where element `at` of an int32 tensor lies.
std::pair<std::string, std::int64_t> place_of(const CheckpointSummary& checkpoint,
                                              const std::string& fqn, const Dims& at) {
  const Manifest& manifest = checkpoint.manifest;
  const std::size_t index = *manifest.entries.find(fqn);
  const Entry& entry = manifest.entries.entries[index];
  for (std::uint64_t c = entry.first_chunk; c < entry.first_chunk + entry.num_chunks; ++c) {
    if (contains(manifest.chunks.box(c, at.ndim()), {at, Dims::filled(at.ndim(), 1)})) {
      const StoredPiece piece = manifest.piece_of(index, c);
      std::int64_t address = piece.address;
      for (int d = 0; d < at.ndim(); ++d) {
        address += 4 * (at[d] - piece.offsets[d]) * row_major_strides(piece.sizes)[d];
      }
      return {checkpoint.directory + "/" + manifest.files[piece.file], address};
    }
  }
  return {};
}

TEST_P(EveryStorage, SavesAndLoadsUnderTheSameAndAnotherSharding) {
  const TemporaryDirectory directory(world());
  FilledState saved(world());
  add_rows(saved);
  saved.fill();
  std::vector<std::byte> object(7, std::byte{static_cast<unsigned char>(3)});
  ASSERT_TRUE(saved.state.add_object("step", std::span<const std::byte>(object)));
  const SaveOptions options = save_options(directory, 3);
  const auto report = save(saved.state, options, world());
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->num_bytes, (13 * 6 + 5 * 11 + 17 * 3 + 9 + 1 + 0 + 1) * 4 + 7);
  EXPECT_EQ(report->no_collective_cause, 0U);
  EXPECT_NEAR(report->phases.total_s(), report->returned_s, 1e-9);
  const std::int64_t written = world().all_reduce(report->bytes_written, MPI_SUM);
  EXPECT_EQ(written, report->num_bytes + report->inventory.checksum_bytes);

  for (const IoMode io : {IoMode::collective, IoMode::independent, IoMode::direct}) {
    for (const bool same_sharding : {false, true}) {
      if (same_sharding && io != GetParam().io) {
        continue;
      }
      FilledState loaded(world());
      same_sharding ? add_rows(loaded) : add_transposed(loaded);
      std::vector<std::byte> loaded_object(7);
      ASSERT_TRUE(loaded.state.add_object("step", std::span(loaded_object)));
      const auto got = load(loaded.state, load_options(options, ChecksumMode::full, io), world());
      ASSERT_TRUE(got) << io_mode_name(io) << ": " << got.error().message;
      EXPECT_EQ(loaded.count_wrong(), 0) << io_mode_name(io);
      EXPECT_EQ(loaded_object, object);
      EXPECT_EQ(got->unverified_chunks, 0);
      EXPECT_GT(got->verified_chunks, 0);
    }
  }
}

TEST_P(EveryStorage, AKeptEntryFileServesTheNextSaves) {
  const TemporaryDirectory directory(world());
  KeptEntryFile kept;
  SaveOptions options = save_options(directory, 0);
  options.kept_entry_file = &kept;
  for (const std::int64_t step : {1, 2, 3}) {
    FilledState saved(world());
    step == 3 ? add_transposed(saved) : add_rows(saved);
    saved.fill(static_cast<std::int32_t>(step));
    options.step = step;
    options.seed = static_cast<std::uint64_t>(step);
    const auto report = save(saved.state, options, world());
    ASSERT_TRUE(report) << report.error().message;
  }
  for (const std::int64_t step : {1, 2, 3}) {
    FilledState loaded(world());
    add_rows(loaded);
    LoadOptions from = load_options(options, ChecksumMode::full, IoMode::independent);
    from.step = step;
    const auto got = load(loaded.state, from, world());
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(loaded.count_wrong(static_cast<std::int32_t>(step)), 0) << "step " << step;
  }
}

TEST_P(SomeStorage, RefusesAStepThatExists) {
  const TemporaryDirectory directory(world());
  FilledState saved(world());
  add_rows(saved);
  saved.fill();
  const SaveOptions options = save_options(directory, 7);
  ASSERT_TRUE(save(saved.state, options, world()));
  const auto again = save(saved.state, options, world());
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::already_exists);
  EXPECT_EQ(again.error().rank, 0);
}

TEST_P(EveryStorage, FindsAFlippedBitAndNamesItsChunk) {
  const TemporaryDirectory directory(world());
  FilledState saved(world());
  add_rows(saved);
  saved.fill();
  const SaveOptions options = save_options(directory, 0);
  ASSERT_TRUE(save(saved.state, options, world()));
  const auto checkpoint = inspect_checkpoint(options.directory, {});
  ASSERT_TRUE(checkpoint);
  if (world().is_root()) {
    const auto [path, at] = place_of(*checkpoint, "columns", {0, 10});
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(at);
    const int byte = file.get();
    file.seekp(at);
    file.put(static_cast<char>(byte ^ 4));
  }
  world().barrier();
  const auto verified = verify_checkpoint(*checkpoint);
  ASSERT_TRUE(verified);
  EXPECT_TRUE(verified->has_checksums);
  ASSERT_EQ(verified->errors.size(), 1U);
  EXPECT_EQ(verified->errors.front().fqn, "columns");
  for (const bool same_layout : {true, false}) {
    FilledState loaded(world());
    same_layout ? add_rows(loaded) : add_transposed(loaded);
    const auto got =
        load(loaded.state, load_options(options, ChecksumMode::full, GetParam().io), world());
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, ErrorCode::data_loss);
    EXPECT_THAT(got.error().message, HasSubstr("'columns'"));
  }
}

TEST_P(SomeStorage, LoadRefusesWhatDoesNotFit) {
  const TemporaryDirectory directory(world());
  FilledState saved(world());
  add_rows(saved);
  saved.fill();
  const SaveOptions options = save_options(directory, 0);
  ASSERT_TRUE(save(saved.state, options, world()));
  const Dims mesh{world().size()};
  const auto code_of = [&](const std::string& fqn, const Dims& sizes, Dtype dtype) {
    FilledState wanted(world());
    wanted.add(fqn, sizes, {Placement::shard(0)}, mesh, dtype);
    const auto got =
        load(wanted.state, load_options(options, ChecksumMode::read, GetParam().io), world());
    EXPECT_FALSE(got);
    EXPECT_THAT(got.error().message, HasSubstr(fqn));
    return got.error().code;
  };
  EXPECT_EQ(code_of("absent", {3}, Dtype::int32), ErrorCode::not_found);
  EXPECT_EQ(code_of("rows", {13, 5}, Dtype::int32), ErrorCode::mismatch);
  EXPECT_EQ(code_of("rows", {13, 6}, Dtype::float32), ErrorCode::mismatch);
}

std::vector<Storage> every_storage() {
  std::vector<Storage> all;
  for (const FileLayout layout :
       {FileLayout::shared, FileLayout::shared_chunked, FileLayout::per_rank, FileLayout::per_node,
        FileLayout::groups, FileLayout::packed, FileLayout::automatic}) {
    for (const IoMode io : {IoMode::collective, IoMode::independent, IoMode::direct}) {
      all.push_back({layout, io});
    }
    all.push_back({layout, IoMode::direct, ExchangeLevel::off});
  }
  return all;
}

std::string storage_name(const ::testing::TestParamInfo<Storage>& storage) {
  std::string name(file_layout_name(storage.param.layout));
  std::replace(name.begin(), name.end(), '-', '_');
  name += "_" + std::string(io_mode_name(storage.param.io));
  return storage.param.exchange == ExchangeLevel::automatic
             ? name
             : name + "_" + std::string(exchange_level_name(storage.param.exchange));
}

INSTANTIATE_TEST_SUITE_P(Storages, EveryStorage, ::testing::ValuesIn(every_storage()),
                         storage_name);
INSTANTIATE_TEST_SUITE_P(Storages, SomeStorage,
                         ::testing::Values(Storage{FileLayout::shared, IoMode::collective},
                                           Storage{FileLayout::per_rank, IoMode::independent},
                                           Storage{FileLayout::automatic, IoMode::direct}),
                         storage_name);

TEST(Checkpoint, EveryPlannersCheckpointLoads) {
  for (const PlannerKind planner :
       {PlannerKind::coordinator, PlannerKind::tree, PlannerKind::layout}) {
    const TemporaryDirectory directory(world());
    FilledState saved(world());
    add_rows(saved);
    saved.fill(3);
    SaveOptions options = options_for(directory, 1, IoMode::independent);
    options.planner = planner;
    const auto report = save(saved.state, options, world());
    ASSERT_TRUE(report) << report.error().message;
    FilledState loaded(world());
    add_rows(loaded);
    LoadOptions load_options;
    load_options.directory = options.directory;
    load_options.checksum = ChecksumMode::full;
    const auto read = load(loaded.state, load_options, world());
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(loaded.count_wrong(3), 0);
  }
}

TEST(Checkpoint, AutoGivesLargeTensorsAFileARankAndKeepsManySmallOnesBeside) {
  if (world().size() == 1) {
    GTEST_SKIP() << "one rank has one file";
  }
  const TemporaryDirectory directory(world());
  const Dims mesh{world().size()};
  const auto add = [&](FilledState& s, const Placement& placement) {
    s.add("large", {4096 * mesh[0], 1024}, {placement}, mesh);
    for (int i = 0; i < 800; ++i) {
      s.add(fmt::format("small.{}", i), {3}, {Placement::shard(0)}, mesh);
    }
  };
  FilledState saved(world());
  add(saved, Placement::shard(1));
  saved.fill();
  SaveOptions options = options_for(directory, 1, IoMode::direct);
  options.storage.layout = FileLayout::automatic;
  const auto report = save(saved.state, options, world());
  ASSERT_TRUE(report) << report.error().message;
  const auto summary = inspect_checkpoint(options.directory, 1);
  ASSERT_TRUE(summary) << summary.error().message;
  const Manifest& manifest = summary->manifest;
  EXPECT_EQ(manifest.layout, FileLayout::per_rank);
  const auto stored = [&](const char* fqn) {
    return manifest.locations[*manifest.entries.find(fqn)].stored_as;
  };
  EXPECT_EQ(stored("large"), StoredAs::separate);
  EXPECT_EQ(stored("small.7"), StoredAs::whole);
  FilledState loaded(world());
  add(loaded, Placement::shard(0));
  LoadOptions load_options;
  load_options.directory = options.directory;
  load_options.io = IoMode::direct;
  const auto done = load(loaded.state, load_options, world());
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(loaded.count_wrong(), 0);
}

// A manifest that no load takes is never committed.
TEST(Checkpoint, PublishedDtypesThatCannotBeReadAreRefused) {
  const TemporaryDirectory directory(world());
  FilledState saved(world());
  saved.add("w", {16}, {Placement::shard(0)}, {world().size()});
  saved.fill();
  std::int64_t step = 0;
  for (const std::string& name : {std::string(), std::string(65, 'x')}) {
    SaveOptions options = options_for(directory, step++, IoMode::independent);
    options.published_dtypes["w"] = name;
    const auto refused = save(saved.state, options, world());
    ASSERT_FALSE(refused) << name;
    EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
  }
  SaveOptions options = options_for(directory, step, IoMode::independent);
  options.published_dtypes["w"] = "float8_e4m3fn";
  EXPECT_TRUE(save(saved.state, options, world()));
  LoadOptions from;
  from.directory = options.directory;
  EXPECT_TRUE(load(saved.state, from, world()));
}

TEST(Checkpoint, NullBackEndStoresNothing) {
  const TemporaryDirectory directory(world());
  FilledState saved(world());
  add_rows(saved);
  saved.fill();
  SaveOptions options = options_for(directory, 1, IoMode::independent);
  options.storage.backend = Backend::null;
  const auto report = save(saved.state, options, world());
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_FALSE(std::filesystem::exists(options.directory));
  EXPECT_GT(report->num_bytes, 0);
}

}  // namespace
}  // namespace shardmark
