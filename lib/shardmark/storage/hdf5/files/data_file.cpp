// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/hdf5/files/data_file.hpp"

#include <algorithm>

#include "shardmark/plan/tables/byte_codec.hpp"
#include "shardmark/storage/format/dataset_name.hpp"
#include "shardmark/storage/hdf5/files/entry_file.hpp"
#include "shardmark/storage/hdf5/library/dataset_facts.hpp"
#include "shardmark/storage/hdf5/library/datatype.hpp"
#include "shardmark/storage/hdf5/library/hdf5_call.hpp"
#include "shardmark/storage/hdf5/library/new_file.hpp"

namespace shardmark {
namespace {

constexpr std::int64_t metadata_bytes_per_chunk = 400;

Status make_datasets(NewHdf5File& file, const EntryTable& entries,
                     std::span<DataFileChunk> chunks) {
  SHARDMARK_ASSIGN_OR_RETURN(const H5Group group, file.make_group(chunks_group));
  for (DataFileChunk& chunk : chunks) {
    const Entry& entry = entries.entries[chunk.entry];
    SHARDMARK_ASSIGN_OR_RETURN(const std::string tensor, dataset_name(entry.fqn));
    const std::string name = chunk_dataset_name(tensor, chunk.box.offsets);
    SHARDMARK_ASSIGN_OR_RETURN(const H5Type type, hdf5_type(entry.dtype));
    SHARDMARK_ASSIGN_OR_RETURN(const H5Dataset dataset,
                               file.make_dataset(group, name, type, chunk.box.sizes));
    SHARDMARK_ASSIGN_OR_RETURN(chunk.address, address_of(dataset, name));
    SHARDMARK_RETURN_IF_ERROR(file.count_metadata(dataset.get()));
  }
  return file.count_metadata(group.get());
}

}  // namespace

Result<LayoutCounters> create_data_file(const std::string& path, const StorageOptions& options,
                                        const EntryTable& entries,
                                        std::span<DataFileChunk> chunks) {
  const Hdf5Lock lock;
  std::vector<std::int64_t> sizes(chunks.size());
  std::transform(chunks.begin(), chunks.end(), sizes.begin(), [&](const DataFileChunk& chunk) {
    return chunk.box.num_elements() * element_size(entries.entries[chunk.entry].dtype);
  });
  NewFileOptions file_options;
  SHARDMARK_ASSIGN_OR_RETURN(file_options.alignment, resolve_alignment(options, sizes));
  file_options.meta_block_size =
      std::min(options.meta_block_size,
               (static_cast<std::int64_t>(chunks.size()) + 4) * metadata_bytes_per_chunk);
  SHARDMARK_ASSIGN_OR_RETURN(NewHdf5File file, NewHdf5File::create(path, file_options));
  const Status made = make_datasets(file, entries, chunks);
  const Status closed = file.close();
  SHARDMARK_RETURN_IF_ERROR(made);
  SHARDMARK_RETURN_IF_ERROR(closed);
  return LayoutCounters{file.metadata_bytes()};
}

ElementRanges element_ranges_of(std::span<const DataFileChunk> chunks, const EntryTable& entries) {
  ElementRanges ranges;
  for (const DataFileChunk& chunk : chunks) {
    ranges.emplace_back(
        chunk.address, chunk.box.num_elements() * element_size(entries.entries[chunk.entry].dtype));
  }
  return ranges;
}

std::vector<std::byte> encode_chunks(std::span<const DataFileChunk> chunks) {
  ByteWriter out;
  out.varint(chunks.size());
  for (const DataFileChunk& chunk : chunks) {
    out.varint(chunk.entry);
    out.varint(chunk.chunk);
    out.dims(chunk.box.offsets);
    out.dims(chunk.box.sizes);
    out.fixed64(static_cast<std::uint64_t>(chunk.address));
  }
  return std::move(out).take();
}

Status decode_chunks(std::span<const std::byte> bytes, const EntryTable& entries,
                     std::vector<DataFileChunk>& chunks) {
  ByteReader in(bytes);
  const std::size_t count = in.length(10);
  for (std::size_t i = 0; i < count && in.ok(); ++i) {
    DataFileChunk chunk;
    chunk.entry =
        static_cast<std::uint32_t>(in.count(static_cast<std::int64_t>(entries.entries.size()) - 1));
    chunk.chunk = in.varint();
    const int ndim = entries.entries[chunk.entry].sizes.ndim();
    chunk.box = {in.dims(ndim), in.dims(ndim)};
    chunk.address = static_cast<std::int64_t>(in.fixed64());
    chunks.push_back(chunk);
  }
  return in.status("list of chunks");
}

}  // namespace shardmark
