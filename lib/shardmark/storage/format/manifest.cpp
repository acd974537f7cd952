// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/format/manifest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "shardmark/core/checksum.hpp"
#include "shardmark/protocol/state_dict.hpp"

namespace shardmark {
namespace {

constexpr std::uint64_t magic = 0x544E414D4B524D53ULL;  // "SMRKMANT"
constexpr std::size_t max_published_dtype_bytes = 64;

void encode_locations(const Manifest& manifest, ByteWriter& out) {
  // An address is written in full, so that a manifest's length does not depend on where data lies.
  for (std::size_t i = 0; i < manifest.locations.size(); ++i) {
    const EntryLocation& location = manifest.locations[i];
    out.varint(static_cast<std::uint64_t>(location.stored_as));
    out.varint(static_cast<std::uint64_t>(location.reason));
    if (location.stored_as == StoredAs::whole) {
      out.varint(location.file);
      out.fixed64(static_cast<std::uint64_t>(location.address));
      continue;
    }
    for (std::uint64_t c = 0; c < manifest.entries.entries[i].num_chunks; ++c) {
      const ChunkLocation& chunk = manifest.chunk_locations[location.first_chunk_location + c];
      out.varint(chunk.file);
      out.fixed64(static_cast<std::uint64_t>(chunk.address));
    }
  }
}

void decode_locations(ByteReader& in, Manifest& manifest) {
  for (const Entry& entry : manifest.entries.entries) {
    EntryLocation location;
    location.stored_as =
        static_cast<StoredAs>(in.count(static_cast<std::int64_t>(StoredAs::separate)));
    location.reason =
        static_cast<LayoutReason>(in.count(static_cast<std::int64_t>(LayoutReason::small_beside)));
    if (location.stored_as == StoredAs::whole) {
      location.file = in.varint();
      location.address = static_cast<std::int64_t>(in.fixed64());
    } else {
      location.first_chunk_location = manifest.chunk_locations.size();
      for (std::uint64_t c = 0; c < entry.num_chunks && in.ok(); ++c) {
        const std::uint64_t file = in.varint();
        manifest.chunk_locations.push_back({file, static_cast<std::int64_t>(in.fixed64())});
      }
    }
    if (!in.ok()) {
      return;
    }
    manifest.locations.push_back(location);
  }
}

void encode_published_dtypes(const Manifest& manifest, ByteWriter& out) {
  // Nothing where there are none: as manifests were before there were any.
  if (manifest.published_dtypes.empty()) {
    return;
  }
  out.varint(manifest.published_dtypes.size());
  for (const auto& [entry, name] : manifest.published_dtypes) {
    out.varint(entry);
    out.text(name);
  }
}

void decode_published_dtypes(ByteReader& in, Manifest& manifest) {
  const std::size_t count = in.length(3);
  if (count == 0) {
    in.fail("no published dtypes");
  }
  for (std::size_t i = 0; i < count && in.ok(); ++i) {
    const std::uint64_t entry = in.varint();
    const std::string_view name = in.text();
    const bool ascending =
        manifest.published_dtypes.empty() || manifest.published_dtypes.rbegin()->first < entry;
    if (!ascending || entry >= manifest.entries.entries.size() ||
        manifest.entries.entries[entry].kind != EntryKind::tensor) {
      in.fail("a published dtype of no tensor");
    } else if (!is_published_dtype(name)) {
      in.fail("a published dtype that is no name");
    } else {
      manifest.published_dtypes[entry] = name;
    }
  }
}

/// An hdf5_chunk has the first chunk's sizes, so no chunk may be larger.
void check_chunk_sizes(ByteReader& in, const Manifest& manifest) {
  for (std::size_t i = 0; i < manifest.entries.entries.size(); ++i) {
    const Entry& entry = manifest.entries.entries[i];
    if (manifest.locations[i].stored_as != StoredAs::hdf5_chunks) {
      continue;
    }
    const int ndim = entry.sizes.ndim();
    for (std::uint64_t c = 0; c < entry.num_chunks; ++c) {
      const Dims first = manifest.chunks.box(entry.first_chunk, ndim).sizes;
      const Dims sizes = manifest.chunks.box(entry.first_chunk + c, ndim).sizes;
      for (int d = 0; d < ndim; ++d) {
        if (sizes[d] > first[d]) {
          in.fail("chunk larger than its hdf5_chunk");
        }
      }
    }
  }
}

}  // namespace

bool is_published_dtype(std::string_view name) {
  return !name.empty() && name.size() <= max_published_dtype_bytes && check_fqn(name);
}

std::vector<std::byte> encode(const Manifest& manifest) {
  ByteWriter out;
  out.fixed64(magic);
  out.varint(manifest.version);
  out.count(manifest.step);
  out.fixed64(manifest.seed);
  out.text(manifest.save_id);
  out.count(manifest.world_size);
  out.varint(static_cast<std::uint64_t>(manifest.layout));
  out.varint(static_cast<std::uint64_t>(manifest.checksum));
  // Plus one: an address of -1, none, is a count too.
  out.count(manifest.checksums_address + 1);
  out.varint(manifest.files.size());
  for (const std::string& file : manifest.files) {
    out.text(file);
  }
  encode(manifest.entries, out);
  encode_locations(manifest, out);
  encode(manifest.chunks, manifest.entries, out);
  encode_published_dtypes(manifest, out);
  out.fixed64(xxh3(out.bytes()));
  return std::move(out).take();
}

Result<Manifest> decode_manifest(std::span<const std::byte> bytes) {
  if (bytes.size() < 24) {
    return Error{ErrorCode::data_loss, "manifest: too short"};
  }
  // Nothing of it is looked at before its own hash has been checked.
  ByteReader tail(bytes.last(8));
  if (tail.fixed64() != xxh3(bytes.first(bytes.size() - 8))) {
    return Error{ErrorCode::data_loss, "manifest: its checksum does not match"};
  }
  ByteReader in(bytes.first(bytes.size() - 8));
  Manifest manifest;
  if (in.fixed64() != magic) {
    in.fail("not a manifest");
  }
  // The version before anything that a later one may have changed.
  manifest.version = in.varint();
  if (in.ok() && !is_known_version(manifest.version)) {
    return Error{ErrorCode::unsupported,
                 fmt::format("manifest: format version {}, this program reads 1 to {}",
                             manifest.version, format_version)};
  }
  manifest.step = in.count();
  manifest.seed = in.fixed64();
  manifest.save_id = in.text();
  manifest.world_size = in.count();
  manifest.layout =
      static_cast<FileLayout>(in.count(static_cast<std::int64_t>(FileLayout::packed)));
  manifest.checksum =
      static_cast<ChecksumKind>(in.count(static_cast<std::int64_t>(ChecksumKind::xxh3)));
  manifest.checksums_address = in.count() - 1;
  const std::size_t num_files = in.length();
  for (std::size_t i = 0; i < num_files && in.ok(); ++i) {
    manifest.files.emplace_back(in.text());
  }
  SHARDMARK_RETURN_IF_ERROR(in.status("manifest"));
  // Counts and sizes are bounded as they are read, so that no damaged one makes this ask for
  // memory.
  SHARDMARK_ASSIGN_OR_RETURN(manifest.entries, decode_entry_table(in));
  decode_locations(in, manifest);
  SHARDMARK_RETURN_IF_ERROR(in.status("manifest"));
  SHARDMARK_ASSIGN_OR_RETURN(manifest.chunks, decode_chunk_table(in, manifest.entries));
  check_chunk_sizes(in, manifest);
  if (in.ok() && !in.at_end()) {
    decode_published_dtypes(in, manifest);
  }
  if (!in.at_end()) {
    in.fail("bytes after the end");
  }
  SHARDMARK_RETURN_IF_ERROR(in.status("manifest"));
  return manifest;
}

std::string_view stored_as_name(StoredAs stored_as) noexcept {
  constexpr std::array<std::string_view, 3> names = {"whole", "hdf5_chunks", "separate"};
  return names[static_cast<std::size_t>(stored_as)];
}

std::string_view layout_reason_text(LayoutReason reason) noexcept {
  constexpr std::array<std::string_view, 11> texts = {
      "as asked",
      "objects, 0-d and zero-size tensors are plain in every layout",
      "its chunks form no regular grid",
      "its first chunk has 4 GiB or more",
      "tiles would pad it by more than 5 %",
      "it is too large to be packed",
      "it is small: packed with others",
      "its chunks are strided: each is a tile of its own",
      "each of its chunks is one piece of the tensor",
      "each rank's chunks lie side by side in a file of its own",
      "it is too small to be worth a virtual dataset"};
  return texts[static_cast<std::size_t>(reason)];
}

std::string_view Manifest::published_dtype(std::size_t entry) const noexcept {
  const auto found = published_dtypes.find(entry);
  return found == published_dtypes.end() ? std::string_view() : found->second;
}

StoredPiece Manifest::piece_of(std::size_t entry, std::uint64_t chunk) const {
  const Entry& e = entries.entries[entry];
  const EntryLocation& location = locations[entry];
  const int ndim = e.sizes.ndim();
  if (location.stored_as == StoredAs::whole) {
    return {location.file, location.address, Dims::filled(ndim, 0), e.sizes};
  }
  const ChunkLocation& at =
      chunk_locations[location.first_chunk_location + (chunk - e.first_chunk)];
  const Box box = chunks.box(chunk, ndim);
  return {
      at.file, at.address, box.offsets,
      location.stored_as == StoredAs::separate ? box.sizes : chunks.box(e.first_chunk, ndim).sizes};
}

Status check_locations(const Manifest& manifest, std::span<const std::int64_t> file_sizes) {
  if (manifest.files.empty() || manifest.files.size() != file_sizes.size()) {
    return Error{ErrorCode::data_loss, fmt::format("manifest: {} files, COMMIT has {}",
                                                   manifest.files.size(), file_sizes.size())};
  }
  struct Range {
    std::uint64_t file;
    std::int64_t begin;
    std::int64_t end;
    std::string_view fqn;
  };
  // A loader reads by these addresses alone: one that is wrong must be found here, before any byte
  // of another tensor is taken for this one's.
  std::vector<Range> ranges;
  const auto add = [&](std::uint64_t file, std::int64_t address, std::int64_t num_bytes,
                       std::string_view what) -> Status {
    if (file >= file_sizes.size() || address < 0 || num_bytes > file_sizes[file] ||
        address > file_sizes[file] - num_bytes) {
      return Error{ErrorCode::data_loss,
                   fmt::format("manifest: '{}' lies outside its file: {} bytes at {}", what,
                               num_bytes, address)};
    }
    ranges.push_back({file, address, address + num_bytes, what});
    return {};
  };
  for (std::size_t i = 0; i < manifest.entries.entries.size(); ++i) {
    const Entry& entry = manifest.entries.entries[i];
    if (manifest.locations[i].stored_as == StoredAs::whole) {
      if (entry.num_bytes() > 0) {
        SHARDMARK_RETURN_IF_ERROR(add(manifest.locations[i].file, manifest.locations[i].address,
                                      entry.num_bytes(), entry.fqn));
      }
      continue;
    }
    for (std::uint64_t c = 0; c < entry.num_chunks; ++c) {
      const StoredPiece piece = manifest.piece_of(i, entry.first_chunk + c);
      SHARDMARK_RETURN_IF_ERROR(add(piece.file, piece.address,
                                    volume(piece.sizes) * element_size(entry.dtype), entry.fqn));
    }
  }
  if (manifest.checksums_address >= 0) {
    if (manifest.entries.num_chunks() > static_cast<std::uint64_t>(file_sizes[0]) / 8) {
      return Error{ErrorCode::data_loss, "manifest: more checksums than their file holds"};
    }
    SHARDMARK_RETURN_IF_ERROR(add(0, manifest.checksums_address,
                                  static_cast<std::int64_t>(manifest.entries.num_chunks() * 8),
                                  "checksums"));
  }
  // Sorted, so that neighbours are all there is to compare.
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) {
    return a.file != b.file ? a.file < b.file : a.begin < b.begin;
  });
  for (std::size_t i = 1; i < ranges.size(); ++i) {
    if (ranges[i].file == ranges[i - 1].file && ranges[i].begin < ranges[i - 1].end) {
      return Error{ErrorCode::data_loss, fmt::format("manifest: '{}' and '{}' share bytes",
                                                     ranges[i - 1].fqn, ranges[i].fqn)};
    }
  }
  return {};
}

}  // namespace shardmark
