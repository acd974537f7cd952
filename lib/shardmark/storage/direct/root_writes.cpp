// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/direct/root_writes.hpp"

#include <fcntl.h>

#include <algorithm>
#include <utility>

#include "shardmark/plan/tables/byte_codec.hpp"
#include "shardmark/storage/posix/file.hpp"

namespace shardmark {
namespace {

constexpr int forwarded_tag = 14;

}  // namespace

void RootWrites::add(std::int64_t offset, std::span<const std::byte> bytes) {
  if (!pieces_.empty()) {
    Piece& last = pieces_.back();
    if (last.offset + static_cast<std::int64_t>(last.bytes.size()) == offset) {
      last.bytes.insert(last.bytes.end(), bytes.begin(), bytes.end());
      return;
    }
  }
  pieces_.push_back({offset, {bytes.begin(), bytes.end()}});
}

std::vector<std::byte> RootWrites::encode() const {
  ByteWriter out;
  out.varint(pieces_.size());
  for (const Piece& piece : pieces_) {
    out.count(piece.offset);
    out.text({reinterpret_cast<const char*>(piece.bytes.data()), piece.bytes.size()});
  }
  return std::move(out).take();
}

Status RootWrites::append(std::span<const std::byte> encoded) {
  ByteReader in(encoded);
  const std::size_t count = in.length(2);
  for (std::size_t i = 0; i < count && in.ok(); ++i) {
    const std::int64_t offset = in.count();
    const auto bytes = std::as_bytes(std::span(in.text()));
    pieces_.push_back({offset, {bytes.begin(), bytes.end()}});
  }
  return in.status("pieces of the entry file");
}

Result<std::int64_t> RootWrites::write(const std::string& path, const Communicator& comm) {
  if (!comm.is_root()) {
    comm.send(encode(), 0, forwarded_tag);
    pieces_.clear();
    return 0;
  }
  Status status;
  for (int rank = 1; rank < comm.size(); ++rank) {
    const Status taken = append(comm.recv(rank, forwarded_tag));
    status = status ? taken : status;
  }
  SHARDMARK_RETURN_IF_ERROR(status);
  std::vector<Piece> pieces = std::exchange(pieces_, {});
  std::sort(pieces.begin(), pieces.end(),
            [](const Piece& a, const Piece& b) { return a.offset < b.offset; });
  for (Piece& piece : pieces) {
    add(piece.offset, piece.bytes);  // merges neighbours
  }
  std::int64_t requests = 0;
  if (pieces_.empty()) {
    return requests;
  }
  SHARDMARK_ASSIGN_OR_RETURN(const FileDescriptor file, open_file(path, O_WRONLY));
  for (const Piece& piece : std::exchange(pieces_, {})) {
    SHARDMARK_RETURN_IF_ERROR(write_at(file, path, piece.bytes, piece.offset));
    ++requests;
  }
  return requests;
}

}  // namespace shardmark
