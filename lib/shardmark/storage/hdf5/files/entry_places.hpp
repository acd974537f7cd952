// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "shardmark/core/dtype.hpp"
#include "shardmark/storage/format/manifest.hpp"
#include "shardmark/storage/hdf5/files/entry_file_options.hpp"

namespace shardmark {

/// Where each packed chunk lies in the packed dataset of its dtype, in elements.
struct PackedPlaces {
  std::array<std::int64_t, num_dtypes> extents{};
  std::vector<std::int64_t> first;  // by chunk, -1 where it is not packed
};

/// Local. By dtype, then by owner, then in order, so that each rank writes one piece.
PackedPlaces place_packed(const EntryFileOptions& options, const Manifest& manifest);

/// Local. Entries in the order in which HDF5 gives them space: those that one rank writes alone by
/// that rank, so that its requests merge, behind all others.
std::vector<std::size_t> order_of_entries(const EntryFileOptions& options,
                                          const EntryTable& entries);

/// Local. Bytes of every object in the file, in the order in which they are laid out.
std::vector<std::int64_t> object_sizes(const EntryFileOptions& options, const PackedPlaces& places,
                                       const Manifest& manifest);

/// Local. Bytes of all elements.
std::int64_t element_bytes(const EntryTable& entries);

}  // namespace shardmark
