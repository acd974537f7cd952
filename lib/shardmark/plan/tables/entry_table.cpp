// SPDX-License-Identifier: Apache-2.0
#include "shardmark/plan/tables/entry_table.hpp"

#include <algorithm>

#include "shardmark/protocol/state_dict.hpp"

namespace shardmark {

std::optional<std::size_t> EntryTable::find(std::string_view fqn) const noexcept {
  const auto at =
      std::lower_bound(entries.begin(), entries.end(), fqn,
                       [](const Entry& e, std::string_view name) { return e.fqn < name; });
  if (at == entries.end() || at->fqn != fqn) {
    return std::nullopt;
  }
  return static_cast<std::size_t>(at - entries.begin());
}

void encode(const EntryTable& table, ByteWriter& out) {
  out.varint(table.entries.size());
  for (const Entry& entry : table.entries) {
    encode_entry_head(entry, out);
    out.varint(entry.num_chunks);
  }
}

Result<EntryTable> decode_entry_table(ByteReader& in) {
  EntryTable table;
  const std::size_t num_entries = in.length(5);
  table.entries.reserve(num_entries);
  std::uint64_t chunks = 0;
  for (std::size_t i = 0; i < num_entries && in.ok(); ++i) {
    Entry entry;
    entry.fqn = in.text();
    const std::int64_t kind = in.count(1);
    const auto dtype = dtype_from_number(in.varint());
    const auto ndim = static_cast<int>(in.count(max_ndim));
    entry.sizes = in.dims(ndim);
    entry.num_chunks = in.varint();
    if (!dtype) {
      in.fail("unknown dtype");
      break;
    }
    entry.kind = static_cast<EntryKind>(kind);
    entry.dtype = *dtype;
    entry.first_chunk = chunks;
    const auto elements = checked_volume(entry.sizes);
    if (!elements || *elements > INT64_MAX / element_size(entry.dtype)) {
      in.fail("tensor above 2^63 bytes");
      break;
    }
    // No tensor has more chunks than elements, which also bounds what a damaged table can ask for.
    if (entry.num_chunks > static_cast<std::uint64_t>(*elements) ||
        __builtin_add_overflow(chunks, entry.num_chunks, &chunks)) {
      in.fail("more chunks than elements");
      break;
    }
    if (entry.num_chunks == 0 && *elements > 0) {
      in.fail("elements in no chunk");
      break;
    }
    if (entry.kind == EntryKind::object &&
        (ndim != 1 || entry.dtype != Dtype::uint8 || entry.num_chunks > 1)) {
      in.fail("object that is no byte string");
      break;
    }
    if (!check_fqn(entry.fqn)) {
      in.fail("name that is no UTF-8 or too long");
      break;
    }
    if (i > 0 && !(table.entries.back().fqn < entry.fqn)) {
      in.fail("names out of order");
      break;
    }
    table.entries.push_back(std::move(entry));
  }
  SHARDMARK_RETURN_IF_ERROR(in.status("entry table"));
  return table;
}

}  // namespace shardmark
