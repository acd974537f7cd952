// SPDX-License-Identifier: Apache-2.0
// A small program that saves, loads and leaves the way the command does; fault_injection_test.py
// runs it while writes fail and ranks die.
//   faulty_save save DIR STEP IO [LAYOUT]     one checkpoint
//   faulty_save repeat DIR STEP IO [LAYOUT]   from STEP on, until killed; pids go to
//   DIR/../pid-RANK faulty_save recover DIR STEP IO [LAYOUT]  a save that fails, then one of small
//   tensors that does not faulty_save load DIR STEP IO              every value is compared
//   faulty_save check DIR            without MPI: "step N good|BAD" and "partial NAME", a line each
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "shardmark/checkpoint/inspect.hpp"
#include "shardmark/checkpoint/load.hpp"
#include "shardmark/checkpoint/save.hpp"
#include "shardmark/mpi/environment.hpp"
#include "shardmark/storage/directory/committed_steps.hpp"
#include "shardmark/testing/filled_state.hpp"

namespace shardmark::testing {
namespace {

/// SHARDMARK_TEST_SCALE: so many times as many rows.
std::int64_t row_factor() {
  const char* chosen = std::getenv("SHARDMARK_TEST_SCALE");
  return chosen == nullptr ? 1 : std::atoll(chosen);
}

void add_tensors(FilledState& state, int world_size, bool transposed) {
  const Dims mesh{world_size};
  const Placement rows = Placement::shard(transposed ? 1 : 0);
  const Placement columns = Placement::shard(transposed ? 0 : 1);
  state.add("rows", {512 * row_factor(), 1024}, {rows}, mesh);
  state.add("columns", {512 * row_factor(), 512}, {columns}, mesh);
  state.add("replica", {65'536}, {transposed ? Placement::shard(0) : Placement::replicate()}, mesh);
  state.add("small", {3}, {Placement::shard(0)}, mesh);
  state.add("scalar", {}, {Placement::replicate()}, mesh);
}

/// SHARDMARK_TEST_FSIZE_RANK may write files of 1 MiB only, as by ulimit -f.
void limit_file_size(int rank) {
  const char* chosen = std::getenv("SHARDMARK_TEST_FSIZE_RANK");
  if (chosen != nullptr && fmt::to_string(rank) == chosen) {
    const struct rlimit limit { 1 << 20, RLIM_INFINITY };
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
}

/// SHARDMARK_TEST_EXCHANGE: off, edges, node, world; left out, auto.
ExchangeLevel exchange_level() {
  const char* chosen = std::getenv("SHARDMARK_TEST_EXCHANGE");
  const auto level = exchange_level_from_name(chosen == nullptr ? "auto" : chosen);
  return level.value_or(ExchangeLevel::automatic);
}

/// SHARDMARK_TEST_COHERENT=yes: clients of the file system are said to see each other's writes.
Coherence coherence() {
  return std::getenv("SHARDMARK_TEST_COHERENT") == nullptr ? Coherence::automatic : Coherence::yes;
}

/// SHARDMARK_TEST_BACKEND: posix, posix-shared; left out, hdf5.
Backend backend() {
  const char* chosen = std::getenv("SHARDMARK_TEST_BACKEND");
  return chosen == nullptr ? Backend::hdf5 : backend_from_name(chosen).value_or(Backend::hdf5);
}

struct Storage {
  IoMode io = IoMode::independent;
  FileLayout layout = FileLayout::shared;
};

Status save_one(const std::string& directory, std::int64_t step, const Storage& storage,
                const Communicator& comm) {
  FilledState state(comm);
  add_tensors(state, comm.size(), false);
  state.fill(static_cast<std::int32_t>(step));
  std::array<std::byte, 8> object{};
  SHARDMARK_RETURN_IF_ERROR(state.state.add_object("step", std::span<const std::byte>(object)));
  SaveOptions options;
  options.directory = directory;
  options.step = step;
  options.storage.backend = backend();
  options.storage.o_direct = std::getenv("SHARDMARK_TEST_CACHED") == nullptr;
  options.storage.io = storage.io;
  options.storage.layout = storage.layout;
  options.storage.groups = 2;
  options.storage.exchange = exchange_level();
  options.storage.coherence = coherence();
  SHARDMARK_ASSIGN_OR_RETURN(const SaveReport report, save(state.state, options, comm));
  if (!report.counters.o_direct_reason.empty()) {
    fmt::print("rank {}: {}\n", comm.rank(), report.counters.o_direct_reason);
  }
  return {};
}

Status load_one(const std::string& directory, std::int64_t step, IoMode io,
                const Communicator& comm) {
  FilledState state(comm);
  add_tensors(state, comm.size(), true);
  LoadOptions options;
  options.directory = directory;
  options.step = step;
  options.checksum = ChecksumMode::full;
  options.io = io;
  options.exchange = exchange_level();
  SHARDMARK_RETURN_IF_ERROR(load(state.state, options, comm));
  const int wrong = state.count_wrong(static_cast<std::int32_t>(step));
  return comm.agree(
      wrong == 0 ? Status()
                 : Status(Error{ErrorCode::data_loss, fmt::format("{} wrong elements", wrong)}));
}

Status repeat(const std::string& directory, std::int64_t step, const Storage& storage,
              const Communicator& comm) {
  std::ofstream(fmt::format("{}/../pid-{}", directory, comm.rank())) << ::getpid();
  comm.barrier();
  while (true) {
    SHARDMARK_RETURN_IF_ERROR(save_one(directory, step++, storage, comm));
  }
}

int check(const std::string& directory) {
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with('.')) {
      fmt::print("partial {}\n", name);
    }
  }
  const auto steps = committed_steps(directory);
  for (const std::int64_t step : *steps) {
    const auto summary = inspect_checkpoint(directory, step);
    const auto verified = summary ? verify_checkpoint(*summary) : summary.error();
    fmt::print("step {} {}\n", step, verified && verified->errors.empty() ? "good" : "BAD");
  }
  return 0;
}

/// All ranks leave together and without a word to MPI or HDF5: either could hang after a failure.
[[noreturn]] void leave(const Error& error, int rank) {
  if (rank == 0) {
    fmt::print(stderr, "error: {}\n", error.message);
    std::fflush(stderr);
  } else {
    ::usleep(300'000);  // rank 0 speaks before anything ends the job
  }
  leave_without_finalize(1, rank == 0);
}

/// After a failure outside HDF5 this process can go on: `step` fails, `step` + 1 is saved once the
/// limit on file sizes is lifted.
Status recover(const std::string& directory, std::int64_t step, const Storage& storage,
               const Communicator& comm) {
  const Status failed = save_one(directory, step, storage, comm);
  if (failed) {
    return Error{ErrorCode::internal, "the save did not fail"};
  }
  struct rlimit limit {};
  ::getrlimit(RLIMIT_FSIZE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_FSIZE, &limit);
  ::unsetenv("SHARDMARK_TEST_FAIL_RANK");
  return save_one(directory, step + 1, storage, comm);
}

int run(std::string_view action, const std::string& directory, std::int64_t step,
        const Storage& storage) {
  std::signal(SIGXFSZ, SIG_IGN);
  auto environment = MpiEnvironment::make();
  auto comm = Communicator::duplicate(MPI_COMM_WORLD);
  if (!environment || !comm) {
    return 3;
  }
  limit_file_size(comm->rank());
  const Status done = action == "save"      ? save_one(directory, step, storage, *comm)
                      : action == "repeat"  ? repeat(directory, step, storage, *comm)
                      : action == "recover" ? recover(directory, step, storage, *comm)
                                            : load_one(directory, step, storage.io, *comm);
  if (!done) {
    leave(done.error(), comm->rank());
  }
  comm->close();
  environment->finalize();
  return 0;
}

}  // namespace
}  // namespace shardmark::testing

int main(int argc, char** argv) {
  const std::string action = argc > 2 ? argv[1] : "";
  if (action == "check") {
    return shardmark::testing::check(argv[2]);
  }
  const auto io = argc >= 5 ? shardmark::io_mode_from_name(argv[4]) : std::nullopt;
  const auto layout =
      shardmark::file_layout_from_name(argc == 6 ? std::string_view(argv[5]) : "shared");
  if (!io || !layout) {
    fmt::print(stderr,
               "usage: faulty_save save|repeat|recover|load DIR STEP IO [LAYOUT], or check DIR\n");
    return 2;
  }
  return shardmark::testing::run(action, argv[2], std::atoll(argv[3]), {*io, *layout});
}
