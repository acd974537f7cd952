// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/hdf5/files/kept_entry_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "shardmark/core/rounding.hpp"
#include "shardmark/plan/tables/byte_codec.hpp"
#include "shardmark/storage/hdf5/files/entry_file.hpp"
#include "shardmark/storage/hdf5/library/attribute.hpp"
#include "shardmark/storage/hdf5/library/existing_file.hpp"
#include "shardmark/storage/posix/file.hpp"
#include "shardmark/storage/raw/structure_hash.hpp"

namespace shardmark {
namespace {

Status rewrite_attributes(const std::string& path, const Manifest& manifest) {
  SHARDMARK_ASSIGN_OR_RETURN(ExistingHdf5File file, ExistingHdf5File::open(path));
  const auto rewrite = [&]() -> Status {
    SHARDMARK_ASSIGN_OR_RETURN(const H5Group own, file.open_group(shardmark_group));
    SHARDMARK_RETURN_IF_ERROR(AttributeValue(manifest.seed).rewrite(own.get(), "seed"));
    SHARDMARK_RETURN_IF_ERROR(AttributeValue(manifest.step).rewrite(own.get(), "step"));
    return AttributeValue(manifest.save_id).rewrite(own.get(), "save_id");
  };
  const Status rewritten = rewrite();
  const Status closed = file.close();
  return rewritten ? closed : rewritten;
}

bool is_zero(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

}  // namespace

std::vector<std::byte> KeptEntryFile::content_of(const EntryFileOptions& options,
                                                 const Manifest& manifest) {
  ByteWriter out;
  encode(manifest.entries, out);
  encode(manifest.chunks, manifest.entries, out);
  out.varint(manifest.published_dtypes.size());
  for (const auto& [entry, name] : manifest.published_dtypes) {
    out.varint(entry);
    out.text(name);
  }
  out.count(manifest.world_size);
  out.varint(static_cast<std::uint64_t>(manifest.checksum));
  // Its length in the manifest is the room of the manifest's dataset.
  out.varint(manifest.save_id.size());
  out.varint(static_cast<std::uint64_t>(options.arrangement.layout));
  for (const std::string& file : options.arrangement.files) {
    out.text(file);
  }
  for (const EntryArrangement& entry : options.arrangement.entries) {
    out.varint(static_cast<std::uint64_t>(entry.form));
    out.varint(static_cast<std::uint64_t>(entry.reason));
  }
  for (const std::uint64_t file : options.arrangement.file_of_rank) {
    out.varint(file);
  }
  for (const std::int32_t owner : options.owners) {
    out.count(owner);
  }
  const StorageOptions& storage = options.storage;
  out.count(storage.alignment ? *storage.alignment + 1 : 0);
  out.count(storage.alignment_threshold);
  out.varint(storage.allow_padding ? 1 : 0);
  out.count(storage.meta_block_size);
  // Numbers of step and seed have their own lengths in a manifest.
  ByteWriter numbers;
  numbers.count(manifest.step);
  out.varint(numbers.bytes().size());
  return std::move(out).take();
}

Status KeptEntryFile::keep(const std::string& path, std::vector<std::byte> content,
                           const Manifest& manifest, const EntryFileMade& made) {
  file_bytes_ = 0;
  parts_.clear();
  SHARDMARK_ASSIGN_OR_RETURN(const std::int64_t size, file_size(path));
  SHARDMARK_ASSIGN_OR_RETURN(const FileDescriptor file, open_file(path, O_RDONLY));
  std::vector<std::byte> block(default_block_bytes);
  for (const auto& [begin, end] : ranges_outside(entry_file_elements(manifest), size)) {
    for (std::int64_t at = begin; at < end;) {
      const std::int64_t stop =
          std::min(end, round_down(at, default_block_bytes) + default_block_bytes);
      const auto bytes = std::span(block).first(static_cast<std::size_t>(stop - at));
      SHARDMARK_RETURN_IF_ERROR(read_at(file, path, bytes, at));
      if (!is_zero(bytes)) {
        if (parts_.empty() ||
            parts_.back().offset + static_cast<std::int64_t>(parts_.back().bytes.size()) != at) {
          parts_.push_back({at, {}});
        }
        parts_.back().bytes.insert(parts_.back().bytes.end(), bytes.begin(), bytes.end());
      }
      at = stop;
    }
  }
  content_ = std::move(content);
  made_ = made;
  checksums_address_ = manifest.checksums_address;
  locations_ = manifest.locations;
  chunk_locations_ = manifest.chunk_locations;
  file_bytes_ = size;
  return {};
}

Result<EntryFileMade> KeptEntryFile::make_again(const std::string& path, Manifest& manifest) const {
  {
    SHARDMARK_ASSIGN_OR_RETURN(const FileDescriptor file,
                               open_file(path, O_WRONLY | O_CREAT | O_EXCL));
    if (::ftruncate(file.get(), file_bytes_) != 0) {
      return errno_error("cannot extend", path, errno);
    }
    for (const Part& part : parts_) {
      SHARDMARK_RETURN_IF_ERROR(write_at(file, path, part.bytes, part.offset));
    }
  }
  SHARDMARK_RETURN_IF_ERROR(rewrite_attributes(path, manifest));
  manifest.checksums_address = checksums_address_;
  manifest.locations = locations_;
  manifest.chunk_locations = chunk_locations_;
  return made_;
}

}  // namespace shardmark
