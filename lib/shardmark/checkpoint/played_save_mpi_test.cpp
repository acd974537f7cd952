// SPDX-License-Identifier: Apache-2.0
// Some ranks of a bigger world, played: what each writes and reads is what the whole world's plan
// says, at the place that the manifest says, and nobody else can read it.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "shardmark/checkpoint/checkpoint_files.hpp"
#include "shardmark/checkpoint/inspect.hpp"
#include "shardmark/checkpoint/load.hpp"
#include "shardmark/checkpoint/playable.hpp"
#include "shardmark/checkpoint/save.hpp"
#include "shardmark/core/by_rank.hpp"
#include "shardmark/plan/merge/plan_exchange.hpp"
#include "shardmark/storage/directory/step_names.hpp"
#include "shardmark/testing/mpi_world.hpp"
#include "shardmark/testing/temporary_directory.hpp"
#include "shardmark/workload/value_law.hpp"
#include "shardmark/workload/workload.hpp"

namespace shardmark {
namespace {

using shardmark::testing::world;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr std::int64_t world_size = 12;
constexpr std::uint64_t seed = 41;

WorkloadOptions tiny(const std::string& strategy) {
  WorkloadOptions options;
  options.model.name = "tiny";
  options.parallel.strategy = strategy;
  return options;
}

/// The ranks 1, 4, 7, 10 of the world, as far as there are processes.
PlayedWorld every_third() {
  PlayedWorld played{world_size, {}};
  for (int process = 0; process < world().size(); ++process) {
    played.ranks.push_back(1 + 3 * process);
  }
  return played;
}

Workload workload_of(const WorkloadOptions& options, std::int64_t rank, Memory memory) {
  auto made = Workload::make(options, rank, world_size, memory);
  EXPECT_TRUE(made) << made.error().message;
  return std::move(*made);
}

using Chunk = std::pair<std::string, Box>;  // by its name

/// The oracle: what every rank of the whole world writes, planned in this process.
std::vector<std::set<Chunk>> planned_writes(const WorkloadOptions& options, PlannerKind kind,
                                            DedupPolicy policy) {
  Workload workload = workload_of(options, 0, Memory::none);
  LocalPlanExchange exchange(static_cast<int>(world_size));
  std::vector<std::shared_ptr<const SavePlan>> plans(world_size);
  const auto planning = make_save_planner(kind, policy)
                            ->plan({.state_dict_of = [&](int rank) -> Result<const StateDict*> {
                                      SHARDMARK_RETURN_IF_ERROR(workload.move_to_rank(rank));
                                      return &std::as_const(workload).state_dict();
                                    },
                                    .exchange = exchange,
                                    .take =
                                        [&](int rank, std::shared_ptr<const SavePlan> plan) {
                                          of_rank(plans, rank) = std::move(plan);
                                          return Status();
                                        }});
  EXPECT_TRUE(planning) << planning.error().message;
  std::vector<std::set<Chunk>> writes(world_size);
  for (std::size_t rank = 0; rank < writes.size(); ++rank) {
    for (const PlannedWrite& write : plans[rank]->writes) {
      writes[rank].emplace(of_rank(planning->entries->entries, write.entry).fqn, write.box);
    }
  }
  return writes;
}

std::set<Chunk> held_by(const WorkloadOptions& options, std::int64_t rank) {
  const Workload workload = workload_of(options, rank, Memory::none);
  std::set<Chunk> held;
  for (const StateDictEntry& entry : workload.state_dict().entries()) {
    std::vector<Box> boxes = {whole_box(Dims{static_cast<std::int64_t>(entry.object.size())})};
    if (entry.tensor != nullptr) {
      boxes = *entry.tensor->create_chunk_list();
    }
    for (const Box& box : boxes) {
      if (!box.empty()) {
        held.emplace(entry.fqn, box);
      }
    }
  }
  return held;
}

/// The bytes of a box in a file, by the manifest, with no reader of ours.
std::vector<std::byte> stored_bytes(const OpenCheckpoint& checkpoint, std::size_t e,
                                    std::uint64_t chunk, const Box& box) {
  const Manifest& manifest = checkpoint.manifest;
  const std::int64_t itemsize = element_size(manifest.entries.entries[e].dtype);
  const StoredPiece piece = manifest.piece_of(e, chunk);
  std::ifstream file(checkpoint.directory + "/" + of_rank(manifest.files, piece.file),
                     std::ios::binary);
  std::vector<std::byte> bytes;
  for_each_run(relative_to(box, piece.offsets), piece.sizes,
               [&](std::int64_t element, std::int64_t count) {
                 const std::size_t at = bytes.size();
                 bytes.resize(at + static_cast<std::size_t>(count * itemsize));
                 file.seekg(piece.address + element * itemsize);
                 file.read(reinterpret_cast<char*>(bytes.data() + at), count * itemsize);
                 EXPECT_TRUE(file.good());
               });
  return bytes;
}

/// On rank 0: the files hold the expected chunks and no others, each with the law's values.
void expect_stored(const std::string& directory, std::int64_t step, const PlayedWorld& played,
                   const std::set<Chunk>& expected) {
  const auto checkpoint = open_played(directory, step, played);
  ASSERT_TRUE(checkpoint) << checkpoint.error().message;
  const Manifest& manifest = checkpoint->manifest;
  EXPECT_EQ(manifest.world_size, world_size);
  std::set<Chunk> found;
  for (std::size_t e = 0; e < manifest.entries.entries.size(); ++e) {
    const Entry& entry = manifest.entries.entries[e];
    for (std::uint64_t c = entry.first_chunk; c < entry.first_chunk + entry.num_chunks; ++c) {
      const Box box = manifest.chunks.box(c, entry.sizes.ndim());
      found.emplace(entry.fqn, box);
      std::vector<std::byte> right(
          static_cast<std::size_t>(box.num_elements() * element_size(entry.dtype)));
      if (entry.kind == EntryKind::object) {
        fill(std::span(right), entry.fqn, seed);
      } else {
        fill(contiguous_view(right.data(), entry.dtype, box.sizes), entry.fqn, seed, box,
             entry.sizes);
      }
      EXPECT_EQ(stored_bytes(*checkpoint, e, c, box), right) << entry.fqn;
    }
  }
  EXPECT_EQ(found, expected);
}

struct Case {
  std::string strategy;
  Backend backend = Backend::hdf5;
  FileLayout layout = FileLayout::shared;
  PlannerKind planner = PlannerKind::layout;
  DedupPolicy dedup = DedupPolicy::balanced;
};

std::string name_of(const Case& c) {
  return fmt::format("{} {} {} {} {}", c.strategy, backend_name(c.backend),
                     file_layout_name(c.layout), planner_kind_name(c.planner),
                     dedup_policy_name(c.dedup));
}

const std::vector<Case> cases = {
    {"fsdp"},
    {"ddp"},
    {"hsdp", Backend::hdf5, FileLayout::automatic},
    {"fsdp-tp", Backend::hdf5, FileLayout::automatic},
    {"megatron", Backend::hdf5, FileLayout::per_rank},
    {"fsdp", Backend::hdf5, FileLayout::packed},
    {"fsdp-tp", Backend::hdf5, FileLayout::groups},
    {"fsdp", Backend::posix},
    {"hsdp", Backend::posix_shared},
    {"ddp", Backend::hdf5, FileLayout::shared, PlannerKind::layout, DedupPolicy::split},
    {"hsdp", Backend::hdf5, FileLayout::shared, PlannerKind::coordinator},
    {"fsdp", Backend::hdf5, FileLayout::per_rank, PlannerKind::tree},
    {"block-cyclic"},
    {"flat-fsdp"},
};

class PlayedSaves : public ::testing::Test {
 protected:
  SaveOptions saving(const Case& c, std::int64_t step, PlayedParts parts) {
    SaveOptions options;
    options.directory = root_;
    options.step = step;
    options.seed = seed;
    options.planner = c.planner;
    options.dedup = c.dedup;
    options.storage.backend = c.backend;
    options.storage.layout = c.layout;
    options.storage.groups = 2;
    options.played = PlayedSave{every_third(), parts, [this, c](int rank) {
                                  return state_dict_of(tiny(c.strategy), rank);
                                }};
    return options;
  }

  Result<const StateDict*> state_dict_of(const WorkloadOptions& options, int rank) {
    if (!elsewhere_) {
      elsewhere_ = std::make_unique<Workload>(workload_of(options, 0, Memory::none));
    }
    SHARDMARK_RETURN_IF_ERROR(elsewhere_->move_to_rank(rank));
    return &std::as_const(*elsewhere_).state_dict();
  }

  LoadOptions loading(const Case& c, std::int64_t step, PlayedWorld played) const {
    LoadOptions options;
    options.directory = root_;
    options.step = step;
    options.backend = c.backend;
    options.checksum = ChecksumMode::full;
    options.played = std::move(played);
    return options;
  }

  testing::TemporaryDirectory directory_{world()};
  std::string root_ = directory_.path() + "/saved";
  std::unique_ptr<Workload> elsewhere_;
};

TEST_F(PlayedSaves, WriteAndReadWhatTheWholeWorldsPlanSays) {
  const PlayedWorld played = every_third();
  const int own = of_rank(played.ranks, world().rank());
  std::int64_t step = 0;
  for (const Case& c : cases) {
    SCOPED_TRACE(name_of(c));
    elsewhere_.reset();
    const auto planned = planned_writes(tiny(c.strategy), c.planner, c.dedup);
    std::set<Chunk> expected;
    for (const int rank : played.ranks) {
      expected.insert(of_rank(planned, rank).begin(), of_rank(planned, rank).end());
    }
    Workload workload = workload_of(tiny(c.strategy), own, Memory::allocate);
    workload.fill(seed);
    const auto saved = save(workload.state_dict(), saving(c, ++step, PlayedParts::shares), world());
    ASSERT_TRUE(saved) << saved.error().message;
    if (world().is_root()) {
      EXPECT_EQ(saved->path, root_ + "/" + played_name(step));
      expect_stored(root_, step, played, expected);
    }
    workload.poison();
    const auto loaded = load(workload.state_dict(), loading(c, step, played), world());
    ASSERT_TRUE(loaded) << loaded.error().message;
    EXPECT_TRUE(workload.check(seed, loaded->absent));
    EXPECT_EQ(loaded->num_bytes + loaded->absent_bytes, workload.local_num_bytes());
    EXPECT_EQ(loaded->unverified_chunks, 0);
    // Brute force: what this rank holds and somebody who is played has written.
    std::set<std::string> absent;
    for (const Chunk& held : held_by(tiny(c.strategy), own)) {
      std::int64_t there = 0;
      for (const auto& [fqn, box] : expected) {
        if (fqn == held.first) {
          const auto common = intersect(box, held.second);
          there += common ? common->num_elements() : 0;
        }
      }
      if (there < held.second.num_elements()) {
        absent.insert(held.first);
      }
    }
    EXPECT_EQ(std::set<std::string>(loaded->absent.begin(), loaded->absent.end()), absent);
  }
}

TEST_F(PlayedSaves, OfAllThatIsHeldLeaveNothingOutOfALoad) {
  const PlayedWorld played = every_third();
  const int own = of_rank(played.ranks, world().rank());
  std::int64_t step = 0;
  for (const Case& c : cases) {
    SCOPED_TRACE(name_of(c));
    elsewhere_.reset();
    std::set<Chunk> expected;
    for (const int rank : played.ranks) {
      expected.merge(held_by(tiny(c.strategy), rank));
    }
    Workload workload = workload_of(tiny(c.strategy), own, Memory::allocate);
    workload.fill(seed);
    const auto saved = save(workload.state_dict(), saving(c, ++step, PlayedParts::held), world());
    ASSERT_TRUE(saved) << saved.error().message;
    if (world().is_root()) {
      expect_stored(root_, step, played, expected);
    }
    workload.poison();
    const auto loaded = load(workload.state_dict(), loading(c, step, played), world());
    ASSERT_TRUE(loaded) << loaded.error().message;
    EXPECT_EQ(loaded->absent_bytes, 0);
    EXPECT_EQ(loaded->num_bytes, workload.local_num_bytes());
    EXPECT_TRUE(workload.check(seed));
  }
}

TEST_F(PlayedSaves, AreNoCheckpointsAndOfNobodyElse) {
  const PlayedWorld played = every_third();
  const Case fsdp{"fsdp"};
  Workload workload =
      workload_of(tiny("fsdp"), of_rank(played.ranks, world().rank()), Memory::allocate);
  workload.fill(seed);
  ASSERT_TRUE(save(workload.state_dict(), saving(fsdp, 5, PlayedParts::shares), world()));
  const auto again = save(workload.state_dict(), saving(fsdp, 5, PlayedParts::shares), world());
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::already_exists);

  LoadOptions plain = loading(fsdp, 5, played);
  plain.played.reset();
  plain.step.reset();
  for (const std::string& where : {root_, root_ + "/" + played_name(5)}) {
    plain.directory = where;
    const auto taken = load(workload.state_dict(), plain, world());
    ASSERT_FALSE(taken);
    EXPECT_EQ(exit_code(taken.error().code), 2) << taken.error().message;
    EXPECT_THAT(taken.error().message, HasSubstr("played"));
    const auto inspected = inspect_checkpoint(where, std::nullopt);
    ASSERT_FALSE(inspected);
    EXPECT_EQ(exit_code(inspected.error().code), 2) << inspected.error().message;
  }
  PlayedWorld other_world = played;
  other_world.world_size = world_size + 12;
  PlayedWorld other_ranks = played;
  ++other_ranks.ranks.back();
  for (const PlayedWorld& other : {other_world, other_ranks}) {
    const auto refused = load(workload.state_dict(), loading(fsdp, 5, other), world());
    ASSERT_FALSE(refused);
    EXPECT_EQ(exit_code(refused.error().code), 2) << refused.error().message;
    EXPECT_THAT(refused.error().message,
                AllOf(HasSubstr(describe(played)), HasSubstr(describe(other))));
  }
}

/// What ranks that are not there would have written takes no room.
TEST_F(PlayedSaves, TakeRoomForWhatIsPlayedAlone) {
  PlayedWorld played{std::int64_t{1} << 12, {}};
  for (int process = 0; process < world().size(); ++process) {
    played.ranks.push_back(process);
  }
  WorkloadOptions options = tiny("fsdp");
  options.model.name = "matrix";
  options.model.matrix_sizes = "8192x32768,8192x32768";  // 4 GiB of float64, 1 MiB a rank
  options.model.optimizer = "none";
  auto workload = Workload::make(options, of_rank(played.ranks, world().rank()), played.world_size,
                                 Memory::allocate);
  ASSERT_TRUE(workload) << workload.error().message;
  workload->fill(seed);
  SaveOptions saving;
  saving.directory = root_;
  saving.played = PlayedSave{.world = played};
  saving.storage.layout = FileLayout::shared;
  const auto saved = save(workload->state_dict(), saving, world());
  ASSERT_TRUE(saved) << saved.error().message;
  const std::int64_t tensors = 2 * 2 * 32768 * 8 * world().size();  // two rows of each a rank
  EXPECT_GE(saved->num_bytes, tensors);
  EXPECT_LT(saved->num_bytes, tensors + (1 << 16));
  EXPECT_LT(saved->inventory.num_bytes, saved->num_bytes + (4 << 20));
  if (world().is_root()) {
    EXPECT_GT(std::filesystem::file_size(saved->path + "/checkpoint.h5"), std::uintmax_t{1} << 32);
  }
}

TEST(Playable, WhatSomeRanksCannotDoIsRefusedWithTheReason) {
  SaveOptions options;
  options.played = PlayedSave{.world = {512, {0, 1}}};
  EXPECT_TRUE(check_can_be_played(options, 2));
  const auto refusal = [&](const SaveOptions& asked, int ranks = 2) {
    const Status refused = check_can_be_played(asked, ranks);
    EXPECT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
    EXPECT_THAT(refused.error().message, HasSubstr("ranks 0-1 of 512"));
    return refused.error().message;
  };
  EXPECT_THAT(refusal(options, 3), HasSubstr("3 ranks"));
  SaveOptions asked = options;
  asked.storage.io = IoMode::collective;
  EXPECT_THAT(refusal(asked), HasSubstr("MPI-IO"));
  asked = options;
  asked.storage.backend = Backend::mpiio;
  EXPECT_THAT(refusal(asked), HasSubstr("MPI-IO"));
  asked = options;
  asked.storage.layout = FileLayout::shared_chunked;
  EXPECT_THAT(refusal(asked), HasSubstr("shared-chunked"));
  asked = options;
  asked.storage.exchange = ExchangeLevel::node;
  EXPECT_THAT(refusal(asked), HasSubstr("storage.exchange"));
  options.played.reset();
  EXPECT_TRUE(check_can_be_played(options, 3));
}

}  // namespace
}  // namespace shardmark
