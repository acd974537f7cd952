// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/mpi/communicator.hpp"
#include "shardmark/storage/contract/placed_files.hpp"
#include "shardmark/storage/exchange/regions.hpp"
#include "shardmark/storage/format/manifest.hpp"

namespace shardmark {

/// What ranks may write together.
struct FileSurvey {
  std::vector<ExchangedFile> files;  // each as whoever made it sees it; on rank 0
  std::int64_t block_bytes = 0;      // that have one writer: the largest sharing_block() of all
};

/// Collective, once the files are laid out; the status is the same on every rank.
Result<FileSurvey> survey_files(const PlacedFiles& placed, const Manifest& manifest,
                                const Communicator& comm);

/// Local. Elements of a file.
std::int64_t element_bytes(const ExchangedFile& file);

/// Local, on rank 0. Of the elements, those in chunks that lie in their file in rows of less than
/// `least` bytes.
std::int64_t bytes_in_short_rows(const Manifest& manifest, std::int64_t least);

}  // namespace shardmark
