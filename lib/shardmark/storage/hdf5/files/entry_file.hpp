// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "shardmark/core/result.hpp"
#include "shardmark/storage/direct/written_claims.hpp"
#include "shardmark/storage/format/manifest.hpp"

namespace shardmark {

/// Paths inside the entry file, the whole of its structure.
inline constexpr const char* tensors_group = "/tensors";
inline constexpr const char* objects_group = "/objects";
inline constexpr const char* shardmark_group = "/shardmark";
inline constexpr const char* checksums_dataset = "/shardmark/checksums";
inline constexpr const char* manifest_dataset = "/shardmark/manifest";

inline constexpr const char* packed_group = "/packed";
/// In data files.
inline constexpr const char* chunks_group = "/chunks";

/// Local, one rank. Reopens the file, writes the manifest into its dataset, closes. Returns its
/// address.
Result<std::int64_t> write_manifest_dataset(const std::string& path,
                                            std::span<const std::byte> bytes);

/// Local, one rank. The same, durable and read back. With ReadFrom::storage HDF5 sees nothing of
/// the file that was in the cache before: it writes whole pages again.
Result<std::int64_t> write_manifest_durably(const std::string& path,
                                            std::span<const std::byte> bytes, ReadFrom from);

/// Local. The path of an entry's dataset.
Result<std::string> dataset_path(const Entry& entry);

/// "/packed/float32".
std::string packed_dataset(Dtype dtype);

/// The dataset of one chunk in a data file: its tensor's dataset name and its offsets, as in
/// "layers.0.weight[128, 0]". The last bracket ends the name, so no two chunks share one.
std::string chunk_dataset_name(const std::string& name, const Dims& offsets);

}  // namespace shardmark
