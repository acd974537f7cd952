// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "shardmark/core/result.hpp"
#include "shardmark/storage/format/manifest.hpp"
#include "shardmark/storage/hdf5/files/entry_file_options.hpp"

namespace shardmark {

/// An entry file that one rank lays out, without MPI-IO, in two steps. The first makes all that
/// ranks write into; their addresses are final from then on. The second makes the virtual datasets,
/// which hold no elements and take HDF5 most of the time: it may run beside the writes.
class NewEntryFile {
 public:
  /// Local. Fills in the manifest's files, layout, checksums address and locations, all but
  /// addresses in data files. The manifest and the owners must outlive this. Errors: io_error,
  /// no_space, invalid_argument for a name that HDF5 cannot hold or an alignment that pads too
  /// much.
  static Result<NewEntryFile> begin(const std::string& path, EntryFileOptions options,
                                    Manifest& manifest);

  NewEntryFile(NewEntryFile&&) noexcept;
  NewEntryFile& operator=(NewEntryFile&&) noexcept;
  /// Gives up what is not finished.
  ~NewEntryFile();

  /// Local. Addresses are final; counters are once finish() is done.
  const EntryFileMade& made() const noexcept;
  /// Local. Bytes that the second step adds to the file, about; 0 if begin() did it all.
  std::int64_t bytes_to_come() const noexcept;

  /// Local. Begins the second step in a thread of its own, which holds HDF5 until it is done.
  void finish_behind();
  /// Local. The second step, unless it was begun; waits for it. The file is closed after it.
  /// Errors: io_error, no_space.
  Result<EntryFileMade> finish();

 private:
  class Creation;
  explicit NewEntryFile(std::unique_ptr<Creation> creation);

  std::unique_ptr<Creation> creation_;
};

/// Local. Both steps at once.
Result<EntryFileMade> create_entry_file(const std::string& path, EntryFileOptions options,
                                        Manifest& manifest);

}  // namespace shardmark
