// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/mpi/communicator.hpp"
#include "shardmark/storage/contract/storage_reader.hpp"
#include "shardmark/storage/format/manifest.hpp"
#include "shardmark/storage/format/storage_options.hpp"

namespace shardmark {

/// Compares what a load has read with the checksums of the save.
class ChunkVerification {
 public:
  /// Over all ranks; each chunk counts once.
  struct Counts {
    std::int64_t verified = 0;
    std::int64_t unverified = 0;
    std::int64_t bytes_read = 0;  // by this class, for chunks that ranks read in part only
  };

  ChunkVerification(const std::string& directory, const Manifest& manifest,
                    std::span<const std::uint64_t> checksums, const Communicator& comm)
      : directory_(directory), manifest_(manifest), checksums_(checksums), comm_(comm) {}

  /// Collective. Hashes in the program's own memory each chunk that this rank has read whole, or
  /// takes it from `hashed` (by task) where the reader has done so. Where ranks read together,
  /// `shared` is what this rank has hashed for all, and nothing else is hashed here. With
  /// `full`, chunks that no rank has read whole are dealt out, read once and hashed. Errors, not
  /// agreed: data_loss naming fqn and offsets.
  Status run(std::span<const ReadTask> tasks, std::span<const std::uint64_t> hashed,
             const std::vector<HashedChunk>* shared, ChecksumMode mode);

  const Counts& counts() const noexcept { return counts_; }

 private:
  Status verify_in_memory(std::span<const ReadTask> tasks, std::span<const std::uint64_t> hashed,
                          std::vector<std::uint64_t>& whole) const;
  Status verify_shared(std::span<const HashedChunk> hashed,
                       std::vector<std::uint64_t>& whole) const;
  Status verify_in_files(std::span<const std::uint64_t> touched,
                         std::span<const std::uint64_t> whole);

  const std::string& directory_;
  const Manifest& manifest_;
  std::span<const std::uint64_t> checksums_;
  const Communicator& comm_;
  Counts counts_;
};

}  // namespace shardmark
