// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/hdf5/files/entry_places.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace shardmark {

PackedPlaces place_packed(const EntryFileOptions& options, const Manifest& manifest) {
  PackedPlaces places;
  const auto& entries = manifest.entries.entries;
  std::vector<std::pair<std::int32_t, std::uint64_t>> chunks;  // owner, chunk
  std::vector<std::uint32_t> entry_of(manifest.entries.num_chunks());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    for (std::uint64_t c = entries[i].first_chunk;
         c < entries[i].first_chunk + entries[i].num_chunks; ++c) {
      entry_of[c] = static_cast<std::uint32_t>(i);
      if (options.arrangement.entries[i].form == EntryForm::packed) {
        chunks.emplace_back(options.owners.empty() ? 0 : options.owners[c], c);
      }
    }
  }
  if (chunks.empty()) {
    return places;
  }
  std::sort(chunks.begin(), chunks.end());
  places.first.assign(manifest.entries.num_chunks(), -1);
  for (const auto& [owner, chunk] : chunks) {
    const Entry& entry = entries[entry_of[chunk]];
    std::int64_t& extent = places.extents[static_cast<std::size_t>(entry.dtype)];
    places.first[chunk] = extent;
    extent += manifest.chunks.box(chunk, entry.sizes.ndim()).num_elements();
  }
  return places;
}

std::vector<std::size_t> order_of_entries(const EntryFileOptions& options,
                                          const EntryTable& entries) {
  std::vector<std::size_t> order(entries.entries.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (options.owners.empty()) {
    return order;
  }
  const auto owner = [&](std::size_t i) {
    const Entry& entry = entries.entries[i];
    return entry.num_chunks == 1 ? options.owners[entry.first_chunk] : -1;
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return owner(a) < owner(b); });
  return order;
}

std::vector<std::int64_t> object_sizes(const EntryFileOptions& options, const PackedPlaces& places,
                                       const Manifest& manifest) {
  std::vector<std::int64_t> sizes;
  for (std::uint64_t number = 0; number < num_dtypes; ++number) {
    if (places.extents[number] > 0) {
      sizes.push_back(places.extents[number] * element_size(*dtype_from_number(number)));
    }
  }
  for (const std::size_t i : order_of_entries(options, manifest.entries)) {
    const Entry& entry = manifest.entries.entries[i];
    const EntryForm form = options.arrangement.entries[i].form;
    if (form == EntryForm::plain) {
      sizes.push_back(entry.num_bytes());
    } else if (form == EntryForm::hdf5_chunks) {
      const Dims tile = manifest.chunks.box(entry.first_chunk, entry.sizes.ndim()).sizes;
      sizes.insert(sizes.end(), entry.num_chunks, volume(tile) * element_size(entry.dtype));
    }
  }
  return sizes;
}

std::int64_t element_bytes(const EntryTable& entries) {
  std::int64_t total = 0;
  for (const Entry& entry : entries.entries) {
    total += entry.num_bytes();
  }
  return total;
}

}  // namespace shardmark
