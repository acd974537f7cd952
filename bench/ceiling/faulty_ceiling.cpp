// SPDX-License-Identifier: Apache-2.0
// Moves a few bytes as the ceiling of bare HDF5 does, while one rank fails, and leaves as the
// command does; ceiling_faults_test.py runs it. With HDF5 unusable, a process shows one failure.
//   faulty_ceiling none DIR          saves and loads, all well
//   faulty_ceiling open-dataset DIR  the last rank finds no dataset in its file
//   faulty_ceiling write DIR         the first rank's files cannot hold what is written
//   collectively
#include <fmt/format.h>
#include <mpi.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "bench/ceiling/ceiling_kind.hpp"
#include "bench/ceiling/ceiling_memory.hpp"
#include "bench/ceiling/ceiling_transfer.hpp"
#include "shardmark/core/result.hpp"
#include "shardmark/mpi/communicator.hpp"
#include "shardmark/mpi/environment.hpp"
#include "shardmark/profile/phase.hpp"
#include "shardmark/profile/phase_times.hpp"

namespace shardmark::bench {
namespace {

constexpr std::int64_t piece_bytes = std::int64_t{1} << 20;

/// One piece of each rank, and of the world's size whoever takes part.
class Pieces {
 public:
  explicit Pieces(const Communicator& world) : total_bytes_(world.size() * piece_bytes) {
    const std::int64_t at = world.rank() * piece_bytes;
    own_.push_back({.file = 0, .offset = at, .position = at, .num_bytes = piece_bytes});
  }

  Status make_room() {
    const std::int64_t period = CeilingMemory::period_for(total_bytes_, total_bytes_);
    SHARDMARK_RETURN_IF_ERROR(memory_.reserve(period));
    memory_.fill(1, period);
    memory_.poison();
    return {};
  }

  /// Collective over `comm`.
  Status move(bool saves, bool collective, const std::string& path, const Communicator& comm) {
    const CeilingKind kind{CeilingLayer::bare_hdf5, saves, false};
    const CeilingOption option{piece_bytes, 1, collective};
    const std::vector<std::string> paths{path};
    PhaseClock clock(Phase::write);
    return move_ceiling({kind, option, own_, paths, total_bytes_, memory_, clock, comm});
  }

  Status compare() const { return memory_.compare(own_); }

 private:
  std::int64_t total_bytes_;
  std::vector<CeilingPiece> own_;
  CeilingMemory memory_;
};

/// In a file of HDF5's: as many bytes for others.
void replace(const std::string& path, const std::string& what, const std::string& with) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  if (const std::size_t at = bytes.find(what); at != std::string::npos) {
    file.seekp(static_cast<std::streamoff>(at));
    file << with;
  }
}

Status save_and_load(Pieces& pieces, const std::string& path, const Communicator& world) {
  for (const bool collective : {true, false}) {
    SHARDMARK_RETURN_IF_ERROR(pieces.move(true, collective, path, world));
    SHARDMARK_RETURN_IF_ERROR(pieces.move(false, collective, path, world));
    SHARDMARK_RETURN_IF_ERROR(pieces.compare());
  }
  return {};
}

/// Of a file that each rank has by itself under its own name.
Status load_what_one_rank_has_not(Pieces& pieces, const std::string& path,
                                  const Communicator& world) {
  SHARDMARK_ASSIGN_OR_RETURN(Communicator alone, Communicator::duplicate(MPI_COMM_SELF));
  const std::string own = fmt::format("{}-{}", path, world.rank());
  Status made = pieces.move(true, false, own, alone);
  alone.close();
  SHARDMARK_RETURN_IF_ERROR(world.agree(made));
  if (world.rank() == world.size() - 1) {
    replace(own, "bytes", "bytez");  // the dataset's name
  }
  return pieces.move(false, true, own, world);
}

Status write_what_has_no_room(Pieces& pieces, const std::string& path, const Communicator& world) {
  if (world.is_root()) {
    // HDF5's own structure fits; the elements begin at 1 MiB.
    const rlimit limit{(piece_bytes * 3) / 2, RLIM_INFINITY};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  return pieces.move(true, true, path, world);
}

Status play(std::string_view fault, const std::string& directory, const Communicator& world) {
  Pieces pieces(world);
  SHARDMARK_RETURN_IF_ERROR(world.agree(pieces.make_room()));
  const std::string path = directory + "/ceiling";
  if (fault == "write") {
    return write_what_has_no_room(pieces, path, world);
  }
  return fault == "none" ? save_and_load(pieces, path, world)
                         : load_what_one_rank_has_not(pieces, path, world);
}

}  // namespace
}  // namespace shardmark::bench

int main(int argc, char** argv) {
  namespace sm = shardmark;
  std::signal(SIGXFSZ, SIG_IGN);
  auto environment = sm::MpiEnvironment::make();
  auto world = sm::Communicator::duplicate(MPI_COMM_WORLD);
  if (!environment || !world || argc != 3) {
    return 2;
  }
  const sm::Status moved = sm::bench::play(argv[1], argv[2], *world);
  const auto failed = world->all_reduce(std::int64_t{moved ? 0 : 1}, MPI_SUM);
  if (failed != 0) {
    if (world->is_root()) {
      fmt::print(stderr, "error: on {} of {} ranks: {}\n", failed, world->size(),
                 moved ? "" : moved.error().message);
      std::fflush(stderr);
    }
    world->barrier();
    sm::leave_without_finalize(1, world->is_root());
  }
  world->close();
  environment->finalize();
  return 0;
}
