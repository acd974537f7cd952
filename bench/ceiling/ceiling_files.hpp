// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "bench/ceiling/ceiling_kind.hpp"
#include "bench/ceiling/ceiling_share.hpp"
#include "shardmark/core/result.hpp"
#include "shardmark/mpi/communicator.hpp"

namespace shardmark::bench {

/// A folder for the files of ceilings, beside the checkpoints in the run's folder, with which it
/// goes.
class CeilingFolder {
 public:
  /// Collective. Makes an empty folder in the run's folder `directory`. `name` tells the folders of
  /// one run apart. Errors: io_error.
  static Result<CeilingFolder> make(const std::string& directory, const std::string& name,
                                    const Communicator& comm);

  const std::string& path() const noexcept { return path_; }
  /// By rank, or one for all.
  std::vector<std::string> files(const std::string& stem, FileSharing sharing, int num_ranks) const;

  /// Collective. Empty files of their final length, their space reserved where the file system
  /// can. Errors: no_space, io_error.
  Status reserve(const std::string& stem, FileSharing sharing, const CeilingShares& shares,
                 const Communicator& comm) const;
  /// Collective, before what is timed. Whether every rank can open the file called `stem` of all: a
  /// rank that cannot would leave the others waiting inside MPI_File_open (Open MPI 4.1). Errors:
  /// those of open_file().
  Status ask_to_open(const std::string& stem, int flags, const Communicator& comm) const;
  /// Collective. The same for one that is to be made: rank 0 makes it empty, and in the end there
  /// is none.
  Status ask_to_make(const std::string& stem, const Communicator& comm) const;
  /// Collective. Removes the files.
  Status remove(const std::string& stem, FileSharing sharing, const Communicator& comm) const;
  /// Collective. Removes the folder with all it holds.
  Status remove_all(const Communicator& comm) const;

 private:
  explicit CeilingFolder(std::string path) : path_(std::move(path)) {}

  std::string path_;
};

}  // namespace shardmark::bench
