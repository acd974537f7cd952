// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/storage/format/manifest.hpp"
#include "shardmark/storage/hdf5/files/entry_file_options.hpp"

namespace shardmark {

/// The structure of an entry file, kept on rank 0 from one save to the next of the same content:
/// what HDF5 laid out once is written again in a few requests, without a call a dataset. HDF5 wrote
/// every byte of it; what differs between saves, the step and the like, HDF5 rewrites in the copy.
class KeptEntryFile {
 public:
  /// Local. Everything that the structure depends on, in bytes.
  static std::vector<std::byte> content_of(const EntryFileOptions& options,
                                           const Manifest& manifest);

  bool holds(const std::vector<std::byte>& content) const noexcept {
    return file_bytes_ > 0 && content == content_;
  }

  /// Local. Remembers the file at `path`, just made and closed, and where its manifest says that
  /// everything lies.
  Status keep(const std::string& path, std::vector<std::byte> content, const Manifest& manifest,
              const EntryFileMade& made);

  /// Local. Makes such a file again at `path`, with the step, seed and save id of `manifest`, and
  /// fills in the manifest's locations. It must hold the content. Errors as NewEntryFile's.
  Result<EntryFileMade> make_again(const std::string& path, Manifest& manifest) const;

 private:
  struct Part {
    std::int64_t offset = 0;
    std::vector<std::byte> bytes;
  };

  std::vector<std::byte> content_;
  std::vector<Part> parts_;  // all that is not element data and not zero
  std::int64_t file_bytes_ = 0;
  EntryFileMade made_;
  std::int64_t checksums_address_ = -1;
  std::vector<EntryLocation> locations_;
  std::vector<ChunkLocation> chunk_locations_;
};

}  // namespace shardmark
