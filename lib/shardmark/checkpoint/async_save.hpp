// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "shardmark/checkpoint/save.hpp"
#include "shardmark/core/result.hpp"
#include "shardmark/mpi/communicator.hpp"
#include "shardmark/protocol/state_dict.hpp"

namespace shardmark {

class SaveProtocol;

struct AsyncSaveOptions {
  std::int64_t staging_bytes = 0;  // of the pool; 0: this rank's bytes
};

/// What the caller of an asynchronous save waited for.
struct AsyncStart {
  double waited_s = 0;            // for the save before
  double returned_s = 0;          // all of it: waiting, planning, staging
  std::int64_t staged_bytes = 0;  // copied into the pool, by this rank
  std::int64_t written_bytes =
      0;  // did not fit into the pool and were written at once, by this rank
};

/// Saves that go on in the background once this rank's elements are staged: a thread of its own
/// lays out the files, writes, flushes and commits through a communicator of its own. One save at a
/// time; the pool of memory is kept from save to save; what does not fit into it on any rank is
/// written before start() returns, and the files laid out before that. Needs MPI_THREAD_MULTIPLE,
/// and I/O mode `direct` or a raw back end: HDF5 is used for laying out and for the manifest only.
class AsyncSaver {
 public:
  /// Collective. Errors: unsupported without MPI_THREAD_MULTIPLE.
  static Result<std::unique_ptr<AsyncSaver>> make(const AsyncSaveOptions& options,
                                                  const Communicator& comm);
  /// Asserts that close() was called.
  ~AsyncSaver();
  AsyncSaver(const AsyncSaver&) = delete;
  AsyncSaver& operator=(const AsyncSaver&) = delete;

  /// Collective. Waits for the save under way, then plans and copies the elements; the
  /// caller may change its tensors when it returns. `options` and what `state_dict` names are
  /// copied; its kept planner and entry file are in use until finish(). Errors: as save() before a
  /// file is made; those of the save before, once; invalid_argument for I/O modes that cannot run
  /// in the background.
  Result<AsyncStart> start(const StateDict& state_dict, const SaveOptions& options);

  /// Local. True while a save is under way.
  bool busy() const noexcept;

  /// Collective. Waits for the save under way and gives its report; nothing if there is none.
  /// Errors: why it failed, the same on all ranks, once.
  Result<std::optional<SaveReport>> finish();

  /// Collective. finish(), whose status it drops, and gives back communicator and memory.
  void close();

 private:
  struct State;
  explicit AsyncSaver(std::unique_ptr<State> state);
  Status stage(SaveProtocol& save, AsyncStart& started);

  std::unique_ptr<State> state_;
};

}  // namespace shardmark
