// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mpi.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>

#include "shardmark/core/result.hpp"
#include "shardmark/mpi/communicator.hpp"

namespace shardmark {

/// An existing file, open on all ranks through MPI-IO; each transfer is one rank's own. Collective
/// close.
class MpiioFile {
 public:
  enum class Access : std::uint8_t { read, write };

  /// Collective; the status is the same on every rank.
  static Result<MpiioFile> open(const std::string& path, Access access,
                                const std::map<std::string, std::string>& hints,
                                const Communicator& comm);
  MpiioFile(MpiioFile&& other) noexcept;
  MpiioFile& operator=(MpiioFile&&) = delete;
  /// Asserts that close() was called.
  ~MpiioFile();

  /// Local. All of `bytes`, in as many calls as it takes. Errors: io_error, no_space; data_loss
  /// where the file ends early.
  Status write(std::span<const std::byte> bytes, std::int64_t offset);
  Status read(std::span<std::byte> bytes, std::int64_t offset);
  /// Collective. Hands everything to storage.
  Status sync();
  /// Collective.
  Status close();

 private:
  MpiioFile(std::string path, MPI_File file) : path_(std::move(path)), file_(file) {}
  Error failed(int return_code, const char* function) const;

  std::string path_;
  MPI_File file_ = MPI_FILE_NULL;
};

}  // namespace shardmark
