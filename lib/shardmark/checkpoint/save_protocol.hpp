// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "shardmark/checkpoint/save_options.hpp"
#include "shardmark/checkpoint/save_report.hpp"
#include "shardmark/core/result.hpp"
#include "shardmark/mpi/communicator.hpp"
#include "shardmark/protocol/state_dict.hpp"
#include "shardmark/storage/contract/storage_writer.hpp"

namespace shardmark {

/// The parts of one save, for callers that do something between them. Collective, in the order of
/// declaration, each with the same status on every rank; after a failure only abandon() may follow.
/// The communicator may be used by one thread after another.
class SaveProtocol {
 public:
  virtual ~SaveProtocol() = default;

  /// Checks, plans and finds the elements. `state_dict` is not needed after it. Nothing is on disk
  /// yet: laying out the files belongs to what may happen behind the caller's back.
  virtual Status begin(const StateDict& state_dict) = 0;
  /// Local. What this rank writes; the elements may be replaced by copies until they are written.
  virtual std::span<WriteTask> tasks() = 0;
  /// Lays out the files and writes the first `count` tasks of this rank, so that their elements are
  /// free afterwards. Nothing if all ranks say 0.
  virtual Status write_first(std::size_t count) = 0;
  /// Lays out the files unless that is done, writes the rest, flushes and commits.
  virtual Status complete() = 0;
  /// Local, once, after complete().
  virtual SaveReport report() = 0;
  /// Removes what is there.
  virtual void abandon() = 0;

  /// Local. This thread is in `phase` now.
  virtual void enter(Phase phase) = 0;
};

/// Local. `comm` must outlive it.
std::unique_ptr<SaveProtocol> make_save_protocol(const SaveOptions& options,
                                                 const Communicator& comm);

}  // namespace shardmark
