// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/hdf5/shared_file_writer.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "shardmark/core/checksum.hpp"
#include "shardmark/storage/commit_record.hpp"
#include "shardmark/storage/hdf5/entry_file.hpp"
#include "shardmark/storage/hdf5/hdf5_call.hpp"
#include "shardmark/storage/posix/file.hpp"
#include "shardmark/storage/posix/space.hpp"
#include "shardmark/storage/posix/stored_chunk.hpp"

namespace shardmark {
namespace {

// Smaller chunks may lie in pages that somebody else has written, where a loss leaves no hole.
constexpr std::int64_t shared_page_bytes = 8192;

std::int64_t element_bytes(const EntryTable& entries) {
  std::int64_t total = 0;
  for (const Entry& entry : entries.entries) {
    total += entry.num_bytes();
  }
  return total;
}

std::vector<FileRange> element_ranges(const std::string& path, const Manifest& manifest) {
  std::vector<FileRange> ranges;
  for (std::size_t i = 0; i < manifest.entries.entries.size(); ++i) {
    if (const std::int64_t num_bytes = manifest.entries.entries[i].num_bytes(); num_bytes > 0) {
      ranges.push_back({path, manifest.locations[i].address, num_bytes});
    }
  }
  return ranges;
}

Box relative_to(const Box& inner, const Box& outer) {
  Box box = inner;
  for (int d = 0; d < box.ndim(); ++d) {
    box.offsets[d] -= outer.offsets[d];
  }
  return box;
}

}  // namespace

SharedFileWriter::~SharedFileWriter() {
  // A file that is still open here was left by a failure.
  if (file_) {
    file_->abandon();
  }
}

Status SharedFileWriter::create(const std::string& directory, const EntryTable& entries,
                                Manifest& manifest) {
  path_ = directory + "/" + entry_file_name;
  entries_ = &entries;
  manifest_ = &manifest;
  has_checksums_ = options_.checksum == ChecksumKind::xxh3 && entries.num_chunks() > 0;
  // Before the file exists: the least that it will have. A limit hit later, inside MPI-IO, might go
  // unreported.
  SHARDMARK_RETURN_IF_ERROR(comm_.agree(check_file_size_limit(path_, element_bytes(entries))));
  Status created;
  if (comm_.is_root()) {
    created = create_on_root(manifest);
  }
  {
    const ScopedPhase wait(clock_, Phase::wait);
    SHARDMARK_RETURN_IF_ERROR(comm_.agree(created));
  }
  detects_holes_ = comm_.all_reduce(std::int64_t{detects_holes_}, MPI_MAX) != 0;
  share_addresses();
  const auto size = file_size(path_);
  SHARDMARK_RETURN_IF_ERROR(comm_.agree(size ? check_file_size_limit(path_, *size) : Status(size)));
  auto file = ParallelFile::open(path_, ParallelFile::Access::read_write, options_.io, comm_);
  if (const Status opened = comm_.agree(Status(file)); !opened) {
    if (file) {
      file->abandon();
    }
    return fail_for_good(opened);
  }
  file_.emplace(std::move(*file));
  return {};
}

Status SharedFileWriter::create_on_root(Manifest& manifest) {
  const std::string directory = path_.substr(0, path_.rfind('/'));
  SHARDMARK_RETURN_IF_ERROR(check_free_space(directory, element_bytes(*entries_)));
  SHARDMARK_ASSIGN_OR_RETURN(layout_counters_,
                             create_entry_file(path_, {options_.meta_block_size}, manifest));
  SHARDMARK_ASSIGN_OR_RETURN(const std::int64_t size, file_size(path_));
  SHARDMARK_RETURN_IF_ERROR(reserve_space(path_, size));
  const auto ranges = element_ranges(path_, manifest);
  if (!ranges.empty()) {
    // The largest, so that a whole page lies in it.
    const auto largest = std::max_element(
        ranges.begin(), ranges.end(),
        [](const FileRange& a, const FileRange& b) { return a.num_bytes < b.num_bytes; });
    SHARDMARK_ASSIGN_OR_RETURN(detects_holes_, can_detect_holes(path_, largest->offset));
  }
  return {};
}

Status SharedFileWriter::write(std::span<const WriteTask> tasks) {
  tasks_ = tasks;
  checksums_.assign(tasks.size(), 0);
  const Status written = write_elements(tasks);
  {
    const ScopedPhase wait(clock_, Phase::wait);
    if (const Status agreed = comm_.agree(written); !agreed) {
      return fail_for_good(agreed);
    }
  }
  if (const Status agreed = comm_.agree(write_checksums()); !agreed) {
    return fail_for_good(agreed);
  }
  counters_.no_collective_cause = file_->no_collective_cause();
  return {};
}

Status SharedFileWriter::write_elements(std::span<const WriteTask> tasks) {
  std::vector<TransferPiece> pieces;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    append_pieces(i, tasks[i].write->entry, tasks[i].write->box, tasks[i].elements.strides,
                  element_size(tasks[i].elements.dtype), pieces);
  }
  std::size_t hashed = 0;  // tasks before this one have their checksum
  return run_transfers(
      *file_, options_.io, *entries_, pieces,
      [](const H5Dataset&, std::uint32_t) { return Status(); },
      [&](const H5Dataset& dataset, const H5Type& type, const TransferPiece* piece) -> Status {
        if (piece == nullptr) {
          return file_->write(dataset, type, std::nullopt, {});
        }
        const WriteTask& task = tasks[piece->task];
        ConstTensorView elements = task.elements.subview(relative_to(piece->box, task.write->box));
        {
          const ScopedPhase stage(clock_, Phase::stage);
          if (piece->task >= hashed && options_.checksum == ChecksumKind::xxh3) {
            checksums_[piece->task] = xxh3(task.elements);
            hashed = piece->task + 1;
          }
          if (piece->staged) {
            elements = staging_.pack(elements);
            counters_.bytes_staged += elements.num_bytes();
          }
        }
        counters_.bytes_written += elements.num_bytes();
        ++counters_.write_requests;
        return file_->write(dataset, type, piece->box, elements);
      },
      comm_);
}

Status SharedFileWriter::write_checksums() {
  if (!has_checksums_) {
    return {};
  }
  std::vector<std::uint64_t> positions;
  positions.reserve(tasks_.size());
  for (const WriteTask& task : tasks_) {
    positions.push_back(task.write->chunk);
  }
  // Agreed before the collective write: a rank that cannot open would leave the others in it.
  const auto dataset = file_->open_dataset(checksums_dataset);
  SHARDMARK_RETURN_IF_ERROR(comm_.agree(Status(dataset)));
  SHARDMARK_RETURN_IF_ERROR(file_->write_words(*dataset, positions, checksums_));
  counters_.bytes_written += static_cast<std::int64_t>(checksums_.size() * sizeof(std::uint64_t));
  counters_.write_requests += checksums_.empty() ? 0 : 1;
  return {};
}

Status SharedFileWriter::flush() {
  const auto agree = [this](const Status& local) {
    const ScopedPhase wait(clock_, Phase::wait);
    return comm_.agree(local);
  };
  // Durable first: a failed write-back shows here, while nobody is inside HDF5, and after it the
  // proof holds for all nodes.
  if (const Status synced = agree(fsync_path(path_)); !synced) {
    return fail_for_good(synced);
  }
  Status proof = prove_by_reading(detects_holes_ ? shared_page_bytes : INT64_MAX);
  if (proof && comm_.is_root()) {
    proof = detects_holes_ ? prove_no_holes() : Status();
    proof = proof ? rehearse_close() : proof;
  }
  if (const Status proven = agree(proof); !proven) {
    return fail_for_good(proven);
  }
  const Status closed = file_->close();
  file_.reset();
  if (const Status agreed = agree(closed); !agreed) {
    return fail_for_good(agreed);
  }
  return agree(fsync_path(path_));
}

Status SharedFileWriter::prove_no_holes() const {
  auto ranges = element_ranges(path_, *manifest_);
  if (has_checksums_) {
    ranges.push_back({path_, manifest_->checksums_address,
                      static_cast<std::int64_t>(8 * entries_->num_chunks())});
  }
  std::sort(ranges.begin(), ranges.end(),
            [](const FileRange& a, const FileRange& b) { return a.offset < b.offset; });
  return check_no_holes(path_, ranges);
}

void SharedFileWriter::share_addresses() {
  addresses_.assign(entries_->entries.size() + 1, -1);
  if (comm_.is_root()) {
    std::transform(manifest_->locations.begin(), manifest_->locations.end(), addresses_.begin(),
                   [](const EntryLocation& location) { return location.address; });
    addresses_.back() = manifest_->checksums_address;
  }
  comm_.all_reduce(addresses_, MPI_MAX);
}

Status SharedFileWriter::rehearse_close() const {
  // H5Fclose writes the superblock on rank 0, and where that fails the others wait inside it for
  // ever: the same write is tried first.
  SHARDMARK_ASSIGN_OR_RETURN(const FileDescriptor raw, open_file(path_, O_RDWR));
  std::array<std::byte, 48> superblock{};
  SHARDMARK_RETURN_IF_ERROR(read_at(raw, path_, superblock, 0));
  return write_at(raw, path_, superblock, 0);
}

Status SharedFileWriter::prove_by_reading(std::int64_t max_chunk_bytes) const {
  // Where the file system cannot tell written from unwritten, only the bytes themselves can. Past
  // HDF5, whose look-ups may be collective while ranks prove different things.
  SHARDMARK_ASSIGN_OR_RETURN(const FileDescriptor raw, open_file(path_, O_RDONLY));
  StoredChunkHasher hasher;
  for (std::size_t i = 0; i < tasks_.size(); ++i) {
    const PlannedWrite& write = *tasks_[i].write;
    const Entry& entry = entries_->entries[write.entry];
    if (tasks_[i].elements.num_bytes() <= max_chunk_bytes) {
      SHARDMARK_ASSIGN_OR_RETURN(const std::uint64_t stored,
                                 hasher.hash(raw, path_, addresses_[write.entry],
                                             element_size(entry.dtype), entry.sizes, write.box));
      if (stored != xxh3(tasks_[i].elements)) {
        return Error{ErrorCode::io_error,
                     fmt::format("'{}': chunk {} was written without an error but did not reach {}",
                                 entry.fqn, to_string(write.box), path_)};
      }
    }
    std::uint64_t checksum = checksums_[i];
    if (has_checksums_) {
      const auto place = addresses_.back() + static_cast<std::int64_t>(8 * write.chunk);
      SHARDMARK_RETURN_IF_ERROR(
          read_at(raw, path_, std::as_writable_bytes(std::span(&checksum, 1)), place));
    }
    if (checksum != checksums_[i]) {
      return Error{ErrorCode::io_error,
                   fmt::format("the checksum of '{}' was written without an error but did not "
                               "reach {}",
                               entry.fqn, path_)};
    }
  }
  return {};
}

Status SharedFileWriter::fail_for_good(const Status& status) {
  if (file_) {
    file_->abandon();
    file_.reset();
  }
  mark_hdf5_unusable();
  return status;
}

Result<std::int64_t> SharedFileWriter::write_manifest(std::span<const std::byte> bytes) {
  SHARDMARK_ASSIGN_OR_RETURN(const std::int64_t address, write_manifest_dataset(path_, bytes));
  SHARDMARK_RETURN_IF_ERROR(fsync_path(path_));
  // COMMIT will vouch for the file as it lies there, so what lies there must be this.
  SHARDMARK_ASSIGN_OR_RETURN(const FileDescriptor file, open_file(path_, O_RDONLY));
  std::vector<std::byte> stored(bytes.size());
  SHARDMARK_RETURN_IF_ERROR(read_at(file, path_, stored, address));
  if (!std::equal(stored.begin(), stored.end(), bytes.begin())) {
    return Error{
        ErrorCode::io_error,
        fmt::format("{}: the manifest was written without an error but did not reach the file",
                    path_)};
  }
  return address;
}

}  // namespace shardmark
