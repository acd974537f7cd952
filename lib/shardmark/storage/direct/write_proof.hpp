// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "shardmark/mpi/communicator.hpp"
#include "shardmark/storage/contract/placed_files.hpp"
#include "shardmark/storage/direct/small_pieces.hpp"
#include "shardmark/storage/direct/written_claims.hpp"

namespace shardmark {

/// Collective, after all ranks' fsync is agreed; the status is not agreed. Proves that the bytes of
/// all ranks reached the files, although every write said so: by holes where the file system shows
/// them, and by reading what may share a page with other bytes, or everything where holes say
/// nothing. Where ranks write through several clients of the file system each has another one's
/// rank read in its place, from storage. `more` are claims beyond the tasks'. Errors: io_error
/// naming what is lost.
Status prove_written(const PlacedFiles& files, const WrittenTasks& written,
                     std::vector<WrittenClaim> more, const Communicator& comm);

/// Collective, the same status on every rank. XXH3-64 outside elements of each data file, by
/// number; 0 for the entry file, which is not finished yet.
Result<std::vector<std::uint64_t>> hash_data_files(const PlacedFiles& files,
                                                   const Communicator& comm);

}  // namespace shardmark
