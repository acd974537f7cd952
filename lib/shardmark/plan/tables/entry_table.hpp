// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shardmark/core/dims.hpp"
#include "shardmark/core/dtype.hpp"
#include "shardmark/core/result.hpp"
#include "shardmark/plan/tables/byte_codec.hpp"

namespace shardmark {

enum class EntryKind : std::uint8_t { tensor = 0, object = 1 };

/// One stored tensor or object, as all ranks know it after planning. An object is [num_bytes] of
/// uint8.
struct Entry {
  std::string fqn;
  EntryKind kind = EntryKind::tensor;
  Dtype dtype = Dtype::uint8;
  Dims sizes;                     // global shape
  std::uint64_t first_chunk = 0;  // position of its first chunk among all chunks
  std::uint64_t num_chunks = 0;   // stored chunks, none for zero-size tensors

  std::int64_t num_bytes() const noexcept { return volume(sizes) * element_size(dtype); }
};

/// Every entry of a checkpoint, by fqn ascending (bytewise), tensors and objects together: the
/// order of datasets, of the manifest and of checksums, the same for any world size and any arrival
/// order.
struct EntryTable {
  std::vector<Entry> entries;

  std::uint64_t num_chunks() const noexcept {
    return entries.empty() ? 0 : entries.back().first_chunk + entries.back().num_chunks;
  }
  /// Position of `fqn`, if it is there. O(log entries).
  std::optional<std::size_t> find(std::string_view fqn) const noexcept;
};

/// Local. What every list of entries tells of one first: name, kind, dtype and shape. For an Entry
/// and whatever has its fields.
template <typename EntryLike>
void encode_entry_head(const EntryLike& entry, ByteWriter& out) {
  out.text(entry.fqn);
  out.varint(static_cast<std::uint64_t>(entry.kind));
  out.varint(static_cast<std::uint64_t>(entry.dtype));
  out.varint(entry.sizes.size());
  out.dims(entry.sizes);
}

/// Local. The table as it travels and rests; names and extents once each.
void encode(const EntryTable& table, ByteWriter& out);
/// Local. Errors: data_loss for anything that encode() cannot have written.
Result<EntryTable> decode_entry_table(ByteReader& in);

}  // namespace shardmark
