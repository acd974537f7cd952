// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "shardmark/core/box.hpp"
#include "shardmark/core/result.hpp"
#include "shardmark/storage/format/manifest.hpp"
#include "shardmark/storage/posix/page_residency.hpp"

namespace shardmark {

/// Elements that somebody has written: to be found in a file by whoever looks.
struct WrittenClaim {
  StoredPiece piece;
  Box box;  // in the piece's tensor
  std::int64_t itemsize = 1;
  std::uint64_t checksum = 0;  // XXH3-64 in the box's own row-major order
  std::string what;            // for the message: "'layers.0.weight': chunk [0, 8]"
};

/// Local. Bytes of a file as a claim.
WrittenClaim claim_of_bytes(std::uint64_t file, std::int64_t offset, std::int64_t num_bytes,
                            std::uint64_t checksum, std::string what);

/// Local. For a rank that looks in the place of the one who wrote.
std::vector<std::byte> encode(std::span<const WrittenClaim> claims);
Result<std::vector<WrittenClaim>> decode_claims(std::span<const std::byte> bytes);

/// Local, after all ranks' fsync. Reads what is claimed. With ReadFrom::storage pages of the files
/// are dropped before, and after it: what is read here must not be taken for what the file holds
/// when others have written more. Errors: io_error naming the first that is not there.
Status check_claims(std::span<const WrittenClaim> claims, std::span<const std::string> paths,
                    ReadFrom from);

}  // namespace shardmark
