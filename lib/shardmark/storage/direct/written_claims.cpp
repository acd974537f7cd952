// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/direct/written_claims.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <map>
#include <set>
#include <utility>

#include "shardmark/plan/tables/byte_codec.hpp"
#include "shardmark/storage/posix/file.hpp"
#include "shardmark/storage/raw/stored_chunk.hpp"

namespace shardmark {
namespace {

Status drop_pages(std::span<const WrittenClaim> claims, std::span<const std::string> paths) {
  std::set<std::uint64_t> files;
  for (const WrittenClaim& claim : claims) {
    files.insert(claim.piece.file);
  }
  std::vector<FileRange> ranges;
  for (const std::uint64_t file : files) {
    ranges.push_back({paths[file], 0, 0});
  }
  return drop_cached_pages(ranges);
}

}  // namespace

WrittenClaim claim_of_bytes(std::uint64_t file, std::int64_t offset, std::int64_t num_bytes,
                            std::uint64_t checksum, std::string what) {
  return {{file, offset, Dims{0}, Dims{num_bytes}},
          {Dims{0}, Dims{num_bytes}},
          1,
          checksum,
          std::move(what)};
}

std::vector<std::byte> encode(std::span<const WrittenClaim> claims) {
  ByteWriter out;
  out.varint(claims.size());
  for (const WrittenClaim& claim : claims) {
    out.varint(claim.piece.file);
    out.count(claim.piece.address);
    out.count(claim.box.ndim());
    for (const Dims& dims :
         {claim.piece.offsets, claim.piece.sizes, claim.box.offsets, claim.box.sizes}) {
      out.dims(dims);
    }
    out.count(claim.itemsize);
    out.fixed64(claim.checksum);
    out.text(claim.what);
  }
  return std::move(out).take();
}

Result<std::vector<WrittenClaim>> decode_claims(std::span<const std::byte> bytes) {
  ByteReader in(bytes);
  const std::size_t count = in.length(13);
  std::vector<WrittenClaim> claims;
  claims.reserve(count);
  for (std::size_t i = 0; i < count && in.ok(); ++i) {
    WrittenClaim claim;
    claim.piece.file = in.varint();
    claim.piece.address = in.count();
    const auto ndim = static_cast<int>(in.count(max_ndim));
    for (Dims* dims :
         {&claim.piece.offsets, &claim.piece.sizes, &claim.box.offsets, &claim.box.sizes}) {
      *dims = in.dims(ndim);
    }
    claim.itemsize = in.count();
    claim.checksum = in.fixed64();
    claim.what = in.text();
    claims.push_back(std::move(claim));
  }
  SHARDMARK_RETURN_IF_ERROR(in.status("claims of another rank"));
  return claims;
}

Status check_claims(std::span<const WrittenClaim> claims, std::span<const std::string> paths,
                    ReadFrom from) {
  if (from == ReadFrom::storage) {
    SHARDMARK_RETURN_IF_ERROR(drop_pages(claims, paths));
  }
  std::map<std::uint64_t, FileDescriptor> open;
  StoredChunkHasher hasher;
  for (const WrittenClaim& claim : claims) {
    const std::string& path = paths[claim.piece.file];
    if (!open[claim.piece.file]) {
      SHARDMARK_ASSIGN_OR_RETURN(open[claim.piece.file], open_file(path, O_RDONLY));
    }
    SHARDMARK_ASSIGN_OR_RETURN(
        const std::uint64_t stored,
        hasher.hash(open[claim.piece.file], path, claim.piece, claim.itemsize, claim.box));
    if (stored != claim.checksum) {
      return Error{
          ErrorCode::io_error,
          fmt::format("{} was written without an error but did not reach {}", claim.what, path)};
    }
  }
  return from == ReadFrom::storage ? drop_pages(claims, paths) : Status();
}

}  // namespace shardmark
