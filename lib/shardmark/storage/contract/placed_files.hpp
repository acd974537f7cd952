// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "shardmark/storage/contract/file_clients.hpp"
#include "shardmark/storage/format/manifest.hpp"
#include "shardmark/storage/format/storage_options.hpp"
#include "shardmark/storage/raw/structure_hash.hpp"

namespace shardmark {

/// The files of one save once they are laid out, as one rank sees them: closed, of the length that
/// they keep while ranks write, every element's place known. Who writes need not know who made
/// them.
struct PlacedFiles {
  std::vector<std::string> paths;  // the entry file and, where there are any, the data files
  FileLayout layout = FileLayout::shared;  // without "auto"
  std::vector<StoredPiece> pieces;         // by write of this rank's plan
  std::uint64_t own_file =
      0;  // of `paths`: where chunks that are not in the entry file go; 0: none
  bool leads_own_file = false;  // this rank made it, and makes it durable though it writes nothing
  ElementRanges own_elements;   // of it, by all who write there; on the rank that leads it
  std::int64_t checksums_address = -1;  // in the entry file; -1 without checksums
  /// Rank 0: where it will write the manifest, if that lies in the entry file by now.
  std::int64_t manifest_address = -1;
  std::int64_t manifest_bytes = 0;
  /// Rank 0: of the entry file, where a thread goes on making it longer; -1: its length stays.
  std::int64_t laid_out_bytes = -1;
  bool blocks_apart = false;   // no two ranks' pieces lie in one of clients.block_bytes
  bool detects_holes = false;  // this file system tells unwritten bytes from zeros
  FileClients clients;         // through which page caches the ranks see the files
};

}  // namespace shardmark
