// SPDX-License-Identifier: Apache-2.0
#include "shardmark/checkpoint/async_save.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <new>
#include <thread>
#include <utility>
#include <vector>

#include "shardmark/checkpoint/save_protocol.hpp"
#include "shardmark/checkpoint/staging_memory.hpp"
#include "shardmark/core/guarded_thread.hpp"
#include "shardmark/core/progress.hpp"
#include "shardmark/mpi/mpi_call.hpp"
#include "shardmark/storage/posix/notices.hpp"

namespace shardmark {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Threads that copy: memory is faster than one core, and the caller waits for nothing else.
int staging_threads() {
  return static_cast<int>(std::clamp(std::thread::hardware_concurrency() / 2, 1U, 4U));
}

bool can_run_behind(const StorageOptions& storage) {
  const BackendTraits& backend = traits_of(storage.backend);
  return !backend.discards && !backend.through_mpi_io &&
         (!backend.has_file_layouts || storage.io == IoMode::direct);
}

}  // namespace

struct AsyncSaver::State {
  State(const AsyncSaveOptions& given, Communicator own) : options(given), comm(std::move(own)) {}

  /// Waits for the thread; the outcome of its save, once.
  Result<std::optional<SaveReport>> join() {
    if (!std::exchange(under_way, false)) {
      return std::optional<SaveReport>();
    }
    for (std::thread& thread : threads) {
      const ScopedHandOver handed_over;
      thread.join();
    }
    threads.clear();
    auto ended = std::move(outcome);
    outcome = SaveReport{};
    save.reset();
    if (!ended) {
      return ended.error();
    }
    return std::optional<SaveReport>(std::move(*ended));
  }

  /// What is left of a save once it is staged.
  void complete(double returned_s) {
    try {
      const Status done = save->complete();
      if (done) {
        SaveReport report = save->report();
        report.returned_s = returned_s;
        outcome = std::move(report);
      } else {
        save->abandon();
        outcome = done.error();
      }
    } catch (const std::bad_alloc&) {
      abort_job("out of memory in a save in the background");  // others are inside a collective
    }
    busy = false;
  }

  AsyncSaveOptions options;
  Communicator comm;  // of the saves alone: the caller's thread before, the other after staging
  StagingMemory memory;
  std::unique_ptr<SaveProtocol> save;
  bool under_way = false;            // a save whose outcome nobody has asked for
  std::vector<std::thread> threads;  // one at most
  std::atomic<bool> busy = false;
  Result<SaveReport> outcome = SaveReport{};  // written by the thread, read after it was joined
};

AsyncSaver::AsyncSaver(std::unique_ptr<State> state) : state_(std::move(state)) {}

AsyncSaver::~AsyncSaver() {
  SHARDMARK_ASSERT(state_ == nullptr, "AsyncSaver destroyed without close()");
}

Result<std::unique_ptr<AsyncSaver>> AsyncSaver::make(const AsyncSaveOptions& options,
                                                     const Communicator& comm) {
  int provided = MPI_THREAD_SINGLE;
  MPI_Query_thread(&provided);
  Status enough;
  if (provided < MPI_THREAD_MULTIPLE) {
    enough = Error{ErrorCode::unsupported,
                   "storage.async needs an MPI that gives MPI_THREAD_MULTIPLE; this one does not"};
  }
  SHARDMARK_RETURN_IF_ERROR(comm.agree(enough));
  SHARDMARK_ASSIGN_OR_RETURN(Communicator own, Communicator::duplicate(comm.handle()));
  return std::unique_ptr<AsyncSaver>(
      new AsyncSaver(std::make_unique<State>(options, std::move(own))));
}

Result<AsyncStart> AsyncSaver::start(const StateDict& state_dict, const SaveOptions& options) {
  State& state = *state_;
  AsyncStart started;
  const Clock::time_point begin = Clock::now();
  SHARDMARK_RETURN_IF_ERROR(state.join());
  started.waited_s = seconds_since(begin);
  if (!can_run_behind(options.storage)) {
    return Error{
        ErrorCode::invalid_argument,
        "storage.async writes in the background with storage.io = \"direct\", or with the back ends posix and posix-shared; HDF5's own transfers cannot run there"};
  }
  state.save = make_save_protocol(options, state.comm);
  SaveProtocol& save = *state.save;
  Status begun = save.begin(state_dict);
  if (begun) {
    begun = stage(save, started);
  }
  if (!begun) {
    save.abandon();
    state.save.reset();
    return begun.error();
  }
  started.returned_s = seconds_since(begin);
  state.busy = true;
  state.under_way = true;
  const Status behind = start_thread(
      state.threads, [&state, returned_s = started.returned_s] { state.complete(returned_s); });
  if (!behind) {
    // Other ranks have theirs, and wait for this one.
    state.complete(started.returned_s);
    started.returned_s = seconds_since(begin);
    if (state.outcome) {
      state.outcome->returned_s = started.returned_s;
    }
    add_notice(fmt::format("a save was not in the background: {}", behind.error().message));
  }
  return started;
}

/// Collective. What does not fit into the pool is written before the caller goes on; the rest, the
/// last tasks of the plan, is staged.
Status AsyncSaver::stage(SaveProtocol& save, AsyncStart& started) {
  State& state = *state_;
  const std::span<WriteTask> tasks = save.tasks();
  const std::int64_t pool =
      state.options.staging_bytes > 0 ? state.options.staging_bytes : staged_size(tasks);
  SHARDMARK_RETURN_IF_ERROR(state.comm.agree(state.memory.reserve(pool)));
  std::size_t first = tasks.size();
  for (std::int64_t room = pool; first > 0; --first) {
    room -= staged_size(tasks.subspan(first - 1, 1));
    if (room < 0) {
      break;
    }
  }
  SHARDMARK_RETURN_IF_ERROR(save.write_first(first));
  const auto rest = tasks.subspan(first);
  for (const WriteTask& task : rest) {
    started.staged_bytes += task.elements.num_bytes();
  }
  for (const WriteTask& task : tasks.first(first)) {
    started.written_bytes += task.elements.num_bytes();
  }
  save.enter(Phase::stage);
  state.memory.stage(rest, staging_threads());
  return {};
}

bool AsyncSaver::busy() const noexcept {
  return state_->busy;
}

Result<std::optional<SaveReport>> AsyncSaver::finish() {
  return state_->join();
}

void AsyncSaver::close() {
  static_cast<void>(finish());
  state_->comm.close();
  state_.reset();
}

}  // namespace shardmark
