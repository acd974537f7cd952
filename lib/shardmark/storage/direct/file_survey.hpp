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

/// Collective, once the files are laid out; the status is the same on every rank. On rank 0 the
/// files that ranks may write together, each as whoever made it sees it; empty on the others.
Result<std::vector<ExchangedFile>> survey_files(const PlacedFiles& placed, const Manifest& manifest,
                                                const Communicator& comm);

/// Local. Elements of a file.
std::int64_t element_bytes(const ExchangedFile& file);

/// Local, on rank 0. Of the elements, those in chunks that lie in their file in rows of less than
/// `least` bytes.
std::int64_t bytes_in_short_rows(const Manifest& manifest, std::int64_t least);

}  // namespace shardmark
