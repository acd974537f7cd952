// SPDX-License-Identifier: Apache-2.0
// Edge cases 37 to 52 of a conformance test that need ranks and files: what a checkpoint gives
// back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <numeric>

#include "shardmark/checkpoint/load.hpp"
#include "shardmark/checkpoint/save.hpp"
#include "shardmark/storage/directory/committed_steps.hpp"
#include "shardmark/testing/filled_state.hpp"
#include "shardmark/testing/mpi_world.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark {
namespace {

namespace fs = std::filesystem;
using shardmark::testing::FilledState;
using shardmark::testing::TemporaryDirectory;
using shardmark::testing::world;
using ::testing::ElementsAre;

/// A name, a shape and how it lies in a world of any size.
struct Laid {
  const char* fqn;
  Dims sizes;
  std::function<std::pair<Dims, std::vector<Placement>>(std::int64_t ranks)> layout;
};

std::pair<Dims, std::vector<Placement>> one_dim(std::int64_t ranks, Placement placement) {
  return {Dims{ranks}, {placement}};
}

void add_all(FilledState& state, const std::vector<Laid>& tensors, std::int64_t ranks) {
  for (const Laid& tensor : tensors) {
    const auto [mesh, placements] = tensor.layout(ranks);
    state.add(tensor.fqn, tensor.sizes, placements, mesh);
  }
}

/// The first `ranks` ranks of the world, or nothing on the others.
class FirstRanks {
 public:
  explicit FirstRanks(int ranks) {
    if (world().rank() < ranks) {
      std::vector<std::int32_t> list(static_cast<std::size_t>(ranks));
      std::iota(list.begin(), list.end(), 0);
      comm_.emplace(world().of_ranks(list));
    }
  }
  ~FirstRanks() {
    if (comm_) {
      comm_->close();
    }
    world().barrier();
  }
  FirstRanks(const FirstRanks&) = delete;
  FirstRanks& operator=(const FirstRanks&) = delete;
  const Communicator* comm() const { return comm_ ? &*comm_ : nullptr; }

 private:
  std::optional<Communicator> comm_;
};

void save_on(int ranks, const std::vector<Laid>& tensors, const std::string& directory,
             std::int64_t step, std::int32_t salt = 0) {
  const FirstRanks first(ranks);
  if (first.comm() != nullptr) {
    FilledState state(*first.comm());
    add_all(state, tensors, ranks);
    state.fill(salt);
    SaveOptions options;
    options.directory = directory;
    options.step = step;
    options.storage.layout = FileLayout::shared;
    options.storage.io = IoMode::independent;
    const auto saved = save(state.state, options, *first.comm());
    ASSERT_TRUE(saved) << saved.error().message;
  }
}

Result<LoadReport> load_on(const Communicator& comm, FilledState& state, LoadOptions options) {
  options.io = IoMode::independent;  // reads nothing beside what is wanted
  auto report = load(state.state, options, comm);
  if (report) {
    EXPECT_EQ(report->bytes_read + report->bytes_received, report->num_bytes);
  }
  return report;
}

void expect_loads(int ranks, const std::vector<Laid>& tensors, const std::string& directory,
                  Replicas replicas = Replicas::read, std::int32_t salt = 0) {
  const FirstRanks first(ranks);
  if (first.comm() != nullptr) {
    FilledState state(*first.comm());
    add_all(state, tensors, ranks);
    LoadOptions options;
    options.directory = directory;
    options.replicas = replicas;
    options.checksum = ChecksumMode::full;
    const auto report = load_on(*first.comm(), state, options);
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(state.count_wrong(salt), 0);
  }
}

const std::vector<Laid> rows = {
    {"a", {13, 6}, [](auto n) { return one_dim(n, Placement::shard(0)); }},
    {"b", {5}, [](auto n) { return one_dim(n, Placement::shard(0)); }},
    {"c", {}, [](auto n) { return one_dim(n, Placement::replicate()); }}};
const std::vector<Laid> columns = {
    {"a", {13, 6}, [](auto n) { return one_dim(n, Placement::shard(1)); }},
    {"b", {5}, [](auto n) { return one_dim(n, Placement::replicate()); }},
    {"c", {}, [](auto n) { return one_dim(n, Placement::replicate()); }}};
const std::vector<Laid> grid = {
    {"a",
     {13, 6},
     [](std::int64_t n) {
       const std::int64_t outer = n % 2 == 0 ? 2 : 1;
       return std::pair(Dims{outer, n / outer},
                        std::vector{Placement::shard(0), Placement::shard(1)});
     }},
    {"b", {5}, [](auto n) { return one_dim(n, Placement::strided_shard(0, 2)); }},
    {"c", {}, [](auto n) { return one_dim(n, Placement::replicate()); }}};

TEST(EdgeCase, N37_AnyWorldLoadsWhatAnyOtherSaved) {
  const TemporaryDirectory directory(world());
  const std::string root = directory.path() + "/ck";
  for (int saved = 1; saved <= world().size(); ++saved) {
    save_on(saved, rows, root, saved);
    for (int loaded = 1; loaded <= world().size(); ++loaded) {
      SCOPED_TRACE(::testing::Message() << saved << " -> " << loaded);
      expect_loads(loaded, rows, root);
    }
  }
}

TEST(EdgeCase, N38_TheShardedDimensionChanges) {
  const TemporaryDirectory directory(world());
  const std::string root = directory.path() + "/ck";
  std::int64_t step = 0;
  for (const auto& saved : {rows, columns, grid}) {
    save_on(world().size(), saved, root, step++);
    for (const auto& loaded : {rows, columns, grid}) {
      expect_loads(world().size(), loaded, root);
    }
  }
}

TEST(EdgeCase, N40_MissingAndUnexpectedKeysAreReported) {
  const TemporaryDirectory directory(world());
  const std::string root = directory.path() + "/ck";
  save_on(world().size(), rows, root, 0);
  FilledState wanted(world());
  add_all(wanted, {rows[0]}, world().size());
  wanted.add("elsewhere", {4}, {Placement::replicate()}, Dims{world().size()});
  LoadOptions options;
  options.directory = root;
  const auto strict = load(wanted.state, options, world());
  ASSERT_FALSE(strict);
  EXPECT_EQ(strict.error().code, ErrorCode::not_found);
  options.strict = false;
  const auto lenient = load(wanted.state, options, world());
  ASSERT_TRUE(lenient) << lenient.error().message;
  EXPECT_THAT(lenient->keys.missing, ElementsAre("elsewhere"));
  EXPECT_THAT(lenient->keys.unexpected, ElementsAre("b", "c"));
  EXPECT_EQ(wanted.count_wrong(), 4);  // what is missing keeps its -1
}

TEST(EdgeCase, N44_TheDestinationIsAViewIntoABiggerBuffer) {
  const TemporaryDirectory directory(world());
  const std::string root = directory.path() + "/ck";
  save_on(world().size(), rows, root, 0);
  // Columns 2 to 7 of rows of 10, the elements themselves transposed in memory.
  for (const bool transposed : {false, true}) {
    const std::vector<Placement> placements = {Placement::shard(0)};
    const TensorLayout layout = *make_tensor_layout(
        {13, 6}, Dtype::int32, *DeviceMesh::row_major(Dims{world().size()}), placements);
    const Dims local = *DTensor::local_sizes(layout, world().rank());
    std::vector<std::int32_t> buffer(200, -7);
    const TensorView view{reinterpret_cast<std::byte*>(buffer.data() + 2), Dtype::int32, local,
                          transposed ? Dims{1, 14} : Dims{10, 1}};
    DTensor tensor = *DTensor::from_local(view, layout, world().rank());
    StateDict state;
    ASSERT_TRUE(state.add("a", tensor));
    LoadOptions options;
    options.directory = root;
    ASSERT_TRUE(load(state, options, world()));
    std::vector<std::int32_t> expected(200, -7);
    const std::int64_t first = (*tensor.create_chunk_list())[0].offsets[0];
    for (std::int64_t r = 0; r < local[0]; ++r) {
      for (std::int64_t c = 0; c < 6; ++c) {
        const std::int64_t at = 2 + r * view.strides[0] + c * view.strides[1];
        expected[static_cast<std::size_t>(at)] = static_cast<std::int32_t>((first + r) * 6 + c);
      }
    }
    EXPECT_EQ(buffer, expected);
  }
}

TEST(EdgeCase, N45_ReplicasGetTheSameBytesReadByAllOrByOne) {
  const TemporaryDirectory directory(world());
  const std::string root = directory.path() + "/ck";
  const std::int64_t ranks = world().size();
  const auto everywhere = [](auto n) { return one_dim(n, Placement::replicate()); };
  const std::vector<Laid> replicas = {
      {"a", {13, 6}, everywhere}, {"b", {5}, everywhere}, {"c", {}, everywhere}};
  save_on(world().size(), rows, root, 0);
  expect_loads(world().size(), replicas, root, Replicas::read);
  for (const auto& loaded : {replicas, columns, grid}) {
    expect_loads(world().size(), loaded, root, Replicas::broadcast);
  }
  FilledState state(world());
  add_all(state, replicas, ranks);
  LoadOptions options;
  options.directory = root;
  options.io = IoMode::independent;
  options.replicas = Replicas::broadcast;
  const auto report = load(state.state, options, world());
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(state.count_wrong(), 0);
  // Once from storage, however many want it.
  EXPECT_EQ(world().all_reduce(report->bytes_read, MPI_SUM), (13 * 6 + 5 + 1) * 4);
  EXPECT_EQ(world().all_reduce(report->num_bytes, MPI_SUM), ranks * (13 * 6 + 5 + 1) * 4);
}

TEST(EdgeCase, N50_AnUnfinishedStepIsNoCheckpoint) {
  const TemporaryDirectory directory(world());
  const std::string root = directory.path() + "/ck";
  save_on(world().size(), rows, root, 3, 5);
  if (world().is_root()) {
    // What a crash before the rename leaves: everything but the name.
    fs::copy(root + "/step-00000003", root + "/.step-00000009.partial-dead",
             fs::copy_options::recursive);
    fs::create_directory(root + "/step-00000010");  // without COMMIT
  }
  world().barrier();
  EXPECT_THAT(*committed_steps(root), ElementsAre(3));
  expect_loads(world().size(), columns, root, Replicas::read, 5);
}

TEST(EdgeCase, N51_TruncatedAndFlippedFilesAreFound) {
  const TemporaryDirectory directory(world());
  const std::string root = directory.path() + "/ck";
  save_on(world().size(), rows, root, 0);
  const std::string path = root + "/step-00000000/checkpoint.h5";
  const auto code = [&] {
    world().barrier();
    FilledState state(world());
    add_all(state, columns, world().size());
    LoadOptions options;
    options.directory = root;
    options.checksum = ChecksumMode::full;
    const auto got = load(state.state, options, world());
    world().barrier();
    return got ? std::nullopt : std::optional(got.error().code);
  };
  ASSERT_EQ(code(), std::nullopt);
  const auto size = fs::file_size(path);
  std::string bytes(size, '\0');
  if (world().is_root()) {
    std::ifstream(path, std::ios::binary).read(bytes.data(), static_cast<std::streamsize>(size));
    fs::resize_file(path, size - 1);
  }
  EXPECT_EQ(code(), ErrorCode::data_loss);
  for (int eighth = 0; eighth < 8; ++eighth) {
    if (world().is_root()) {
      std::string damaged = bytes;
      damaged[size / 8 * static_cast<std::size_t>(eighth) + 9] ^= 16;
      std::ofstream(path, std::ios::binary) << damaged;
    }
    EXPECT_EQ(code(), ErrorCode::data_loss) << eighth;
  }
  if (world().is_root()) {
    std::ofstream(path, std::ios::binary) << bytes;
  }
  EXPECT_EQ(code(), std::nullopt);
}

TEST(EdgeCase, N52_LeftOverFilesOfAnEarlierWorldAreIgnored) {
  const TemporaryDirectory directory(world());
  const std::string root = directory.path() + "/ck";
  save_on(world().size(), rows, root, 0);
  if (world().is_root()) {
    for (const char* name : {"data-00000007.h5", "__9_0.distcp", ".metadata"}) {
      std::ofstream(root + "/step-00000000/" + name) << "of another world";
    }
  }
  world().barrier();
  expect_loads(world().size(), grid, root);
}

}  // namespace
}  // namespace shardmark
