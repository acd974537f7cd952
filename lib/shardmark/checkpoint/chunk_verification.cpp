// SPDX-License-Identifier: Apache-2.0
#include "shardmark/checkpoint/chunk_verification.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "shardmark/core/checksum.hpp"
#include "shardmark/core/first_failure.hpp"
#include "shardmark/plan/tables/chunk_numbers.hpp"
#include "shardmark/storage/raw/stored_chunk.hpp"

namespace shardmark {
namespace {

constexpr std::uint64_t chunks_per_word = 64;

void set_bit(std::span<std::uint64_t> bits, std::uint64_t index) {
  bits[index / chunks_per_word] |= 1ULL << (index % chunks_per_word);
}
bool has_bit(std::span<const std::uint64_t> bits, std::uint64_t index) {
  return (bits[index / chunks_per_word] >> (index % chunks_per_word) & 1U) != 0;
}
std::int64_t count_bits(std::span<const std::uint64_t> bits) {
  std::int64_t count = 0;
  for (const std::uint64_t word : bits) {
    count += std::popcount(word);
  }
  return count;
}

Error wrong(const Entry& entry, const Dims& offsets) {
  return {ErrorCode::data_loss,
          fmt::format("'{}': checksum mismatch in the chunk at {}", entry.fqn, to_string(offsets))};
}

}  // namespace

Status ChunkVerification::run(std::span<const ReadTask> tasks,
                              std::span<const std::uint64_t> hashed,
                              const std::vector<HashedChunk>* shared, ChecksumMode mode) {
  const std::uint64_t num_chunks = manifest_.entries.num_chunks();
  const std::size_t words = (num_chunks + chunks_per_word - 1) / chunks_per_word;
  // The first half: chunks that some rank needs. The second: chunks that some rank has read whole.
  std::vector<std::uint64_t> bits(2 * words, 0);
  const auto touched = std::span(bits).first(words);
  const auto whole = std::span(bits).last(words);
  for (const ReadTask& task : tasks) {
    set_bit(touched, task.read->chunk);
  }
  const bool hashes = mode != ChecksumMode::none && !checksums_.empty();
  Status status;
  if (hashes) {
    std::vector<std::uint64_t> own(words, 0);
    status = shared != nullptr ? verify_shared(*shared, own) : verify_in_memory(tasks, hashed, own);
    std::copy(own.begin(), own.end(), whole.begin());
  }
  comm_.all_reduce(bits, MPI_BOR);
  counts_.verified = count_bits(whole);
  counts_.unverified = count_bits(touched) - counts_.verified;
  if (hashes && mode == ChecksumMode::full) {
    const Status in_files = verify_in_files(touched, whole);
    keep_first_failure(status, in_files);
    counts_.bytes_read = comm_.all_reduce(counts_.bytes_read, MPI_SUM);
    counts_.verified += std::exchange(counts_.unverified, 0);
  }
  return status;
}

Status ChunkVerification::verify_in_memory(std::span<const ReadTask> tasks,
                                           std::span<const std::uint64_t> hashed,
                                           std::vector<std::uint64_t>& whole) const {
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const ReadTask& task = tasks[i];
    if (!task.read->whole_chunk) {
      continue;
    }
    set_bit(whole, task.read->chunk);
    const std::uint64_t hash = hashed.empty() ? xxh3(task.elements) : hashed[i];
    if (hash != checksums_[task.read->chunk]) {
      return wrong(manifest_.entries.entries[task.read->entry], task.read->box.offsets);
    }
  }
  return {};
}

Status ChunkVerification::verify_shared(std::span<const HashedChunk> hashed,
                                        std::vector<std::uint64_t>& whole) const {
  for (const HashedChunk& chunk : hashed) {
    set_bit(whole, chunk.chunk);
    if (chunk.checksum != checksums_[chunk.chunk]) {
      return wrong(manifest_.entries.entries[chunk.entry], chunk.offsets);
    }
  }
  return {};
}

Status ChunkVerification::verify_in_files(std::span<const std::uint64_t> touched,
                                          std::span<const std::uint64_t> whole) {
  std::vector<FileDescriptor> files;
  for (const std::string& name : manifest_.files) {
    SHARDMARK_ASSIGN_OR_RETURN(FileDescriptor file, open_file(directory_ + "/" + name, O_RDONLY));
    files.push_back(std::move(file));
  }
  StoredChunkHasher hasher;
  std::int64_t dealt_bytes = 0;
  std::int64_t total_bytes = 0;
  const auto for_each_open_chunk = [&](const auto& take) -> Status {
    for (std::size_t e = 0; e < manifest_.entries.entries.size(); ++e) {
      const Entry& entry = manifest_.entries.entries[e];
      for (const std::uint64_t c : ChunkNumbers(entry)) {
        if (has_bit(touched, c) && !has_bit(whole, c)) {
          const Box box = manifest_.chunks.box(c, entry.sizes.ndim());
          SHARDMARK_RETURN_IF_ERROR(
              take(e, c, box, box.num_elements() * element_size(entry.dtype)));
        }
      }
    }
    return {};
  };
  SHARDMARK_RETURN_IF_ERROR(
      for_each_open_chunk([&](std::size_t, std::uint64_t, const Box&, std::int64_t num_bytes) {
        total_bytes += num_bytes;
        return Status();
      }));
  // Consecutive chunks, an equal share of the bytes for each rank.
  Status status = for_each_open_chunk(
      [&](std::size_t e, std::uint64_t chunk, const Box& box, std::int64_t num_bytes) -> Status {
        const auto middle = static_cast<double>(dealt_bytes) + static_cast<double>(num_bytes) / 2;
        dealt_bytes += num_bytes;
        const auto owner =
            std::min(comm_.size() - 1,
                     static_cast<int>(middle / static_cast<double>(total_bytes) * comm_.size()));
        if (owner != comm_.rank()) {
          return {};
        }
        const Entry& entry = manifest_.entries.entries[e];
        const StoredPiece piece = manifest_.piece_of(e, chunk);
        SHARDMARK_ASSIGN_OR_RETURN(const std::uint64_t stored,
                                   hasher.hash(files[piece.file], manifest_.files[piece.file],
                                               piece, element_size(entry.dtype), box));
        return stored == checksums_[chunk] ? Status() : Status(wrong(entry, box.offsets));
      });
  counts_.bytes_read = hasher.bytes_read();
  return status;
}

}  // namespace shardmark
