// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/hdf5/transfer/hdf5_writer.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <unordered_map>

#include "shardmark/core/checksum.hpp"
#include "shardmark/core/progress.hpp"
#include "shardmark/storage/contract/agree_waiting.hpp"
#include "shardmark/storage/direct/write_proof.hpp"
#include "shardmark/storage/format/dataset_name.hpp"
#include "shardmark/storage/hdf5/files/entry_file.hpp"
#include "shardmark/storage/hdf5/library/hdf5_call.hpp"
#include "shardmark/storage/posix/file.hpp"
#include "shardmark/storage/raw/raw_file.hpp"
#include "shardmark/storage/raw/raw_writer.hpp"
#include "shardmark/storage/raw/transfer_runs.hpp"

namespace shardmark {

Hdf5Writer::~Hdf5Writer() {
  // A file that is still open here was left by a failure.
  if (file_) {
    file_->abandon();
  }
}

Status Hdf5Writer::create(const SaveTarget& target) {
  const Hdf5Lock lock;
  entries_ = target.entries;
  SHARDMARK_ASSIGN_OR_RETURN(files_, made_by_->create(target));
  if (const Status opened = comm_.agree(open()); !opened) {
    return fail_for_good(opened);
  }
  return {};
}

/// The same on all ranks that share the file.
Status Hdf5Writer::open() {
  if (in_data_files() && made_by_->datasets().data_chunks.empty()) {
    return {};
  }
  SHARDMARK_ASSIGN_OR_RETURN(
      ParallelFile file, ParallelFile::open(path(), ParallelFile::Access::read_write, options_.io,
                                            options_.hints, sharers()));
  file_.emplace(std::move(file));
  return {};
}

Status Hdf5Writer::write(std::span<const WriteTask> tasks) {
  const Hdf5Lock lock;
  tasks_ = tasks;
  checksums_.assign(options_.checksum == ChecksumKind::xxh3 ? tasks.size() : 0, 0);
  hashed_.assign(checksums_.size(), false);
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    if (is_for_root(files_, entries_->entries[tasks[i].write->entry], tasks[i])) {
      counters_.bytes_written += tasks[i].elements.num_bytes();
      if (!checksums_.empty()) {
        checksums_[i] = xxh3(tasks[i].elements);
      }
    }
  }
  Status written = file_ ? write_elements(tasks) : Status();
  if (written && in_data_files()) {
    written = write_beside(tasks);
  }
  if (const Status agreed = agree_waiting(written, clock_, comm_); !agreed) {
    return fail_for_good(agreed);
  }
  if (const Status agreed = comm_.agree(write_checksums()); !agreed) {
    return fail_for_good(agreed);
  }
  counters_.no_collective_cause = file_ ? file_->no_collective_cause() : 0;
  return {};
}

/// By entry, then the packed ones by dtype; or by chunk of the data file.
DatasetList Hdf5Writer::datasets() const {
  DatasetList list;
  if (in_data_files()) {
    list.count = static_cast<std::uint32_t>(made_by_->datasets().data_chunks.size());
    list.describe = [this](std::uint32_t number) -> Result<DatasetRef> {
      const DataFileChunk& chunk = made_by_->datasets().data_chunks[number];
      const Entry& entry = entries_->entries[chunk.entry];
      SHARDMARK_ASSIGN_OR_RETURN(const std::string name, dataset_name(entry.fqn));
      return DatasetRef{
          fmt::format("{}/{}", chunks_group, chunk_dataset_name(name, chunk.box.offsets)),
          entry.dtype, entry.fqn};
    };
    return list;
  }
  const auto num_entries = static_cast<std::uint32_t>(entries_->entries.size());
  list.count = num_entries + num_dtypes;
  list.describe = [this, num_entries](std::uint32_t number) -> Result<DatasetRef> {
    if (number >= num_entries) {
      const Dtype dtype = *dtype_from_number(number - num_entries);
      return DatasetRef{packed_dataset(dtype), dtype, packed_dataset(dtype)};
    }
    const Entry& entry = entries_->entries[number];
    SHARDMARK_ASSIGN_OR_RETURN(const std::string path, dataset_path(entry));
    return DatasetRef{path, entry.dtype, entry.fqn};
  };
  return list;
}

Status Hdf5Writer::write_elements(std::span<const WriteTask> tasks) {
  const auto num_entries = static_cast<std::uint32_t>(entries_->entries.size());
  std::unordered_map<std::uint64_t, std::uint32_t> number_of;  // by chunk, in data files
  for (std::uint32_t i = 0; i < made_by_->datasets().data_chunks.size(); ++i) {
    number_of.emplace(made_by_->datasets().data_chunks[i].chunk, i);
  }
  // Addresses in packed datasets become positions; only looked at, so independently.
  std::array<std::int64_t, num_dtypes> packed_at{};
  packed_at.fill(-1);
  std::vector<TransferPiece> pieces;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const PlannedWrite& write = *tasks[i].write;
    const Entry& entry = entries_->entries[write.entry];
    const int ndim = entry.sizes.ndim();
    DatasetPlace place{write.entry, Dims::filled(ndim, 0), -1};
    switch (made_by_->datasets().forms[write.entry]) {
      case EntryForm::plain:
        if (in_data_files() || is_for_root(files_, entry, tasks[i])) {
          continue;
        }
        break;
      case EntryForm::hdf5_chunks:
        break;
      case EntryForm::separate:
        place = {number_of.at(write.chunk), write.box.offsets, -1};
        break;
      case EntryForm::packed:
        place.dataset = num_entries + static_cast<std::uint32_t>(entry.dtype);
        place.first =
            (files_.pieces[i].address -
             made_by_->datasets().packed_addresses[static_cast<std::size_t>(entry.dtype)]) /
            element_size(entry.dtype);
        break;
    }
    append_pieces(i, place, write.box, tasks[i].elements.strides, element_size(entry.dtype),
                  pieces);
  }
  return run_transfers(
      *file_, options_.io, datasets(), std::move(pieces),
      [](const H5Dataset&, std::uint32_t) { return Status(); },
      [&](const H5Dataset& dataset, const H5Type& type, const TransferPiece* piece) {
        return write_piece(tasks, dataset, type, piece);
      },
      sharers());
}

Status Hdf5Writer::write_piece(std::span<const WriteTask> tasks, const H5Dataset& dataset,
                               const H5Type& type, const TransferPiece* piece) {
  if (piece == nullptr) {
    return file_->write(dataset, type, std::nullopt, {});
  }
  const WriteTask& task = tasks[piece->task];
  note_tensor(entries_->entries[task.write->entry].fqn);
  ConstTensorView elements =
      task.elements.subview(relative_to(piece->box, task.write->box.offsets));
  {
    const ScopedPhase stage(clock_, Phase::stage);
    if (!checksums_.empty() && !hashed_[piece->task]) {
      checksums_[piece->task] = xxh3(task.elements);
      hashed_[piece->task] = true;
    }
    if (piece->staged) {
      elements = staging_.pack(elements);
      counters_.bytes_staged += elements.num_bytes();
    }
  }
  counters_.bytes_written += elements.num_bytes();
  ++counters_.write_requests;
  Status written = file_->write(dataset, type, piece->in_dataset, elements);
  if (options_.io == IoMode::collective && file_->last_any_cause() != 0) {
    CollectiveCause& cause = counters_.broken[task.write->entry];
    cause.own |= file_->last_own_cause();
    cause.any |= file_->last_any_cause();
  }
  return written;
}

/// Local. What lies in the entry file beside data files: past HDF5, which has it closed.
Status Hdf5Writer::write_beside(std::span<const WriteTask> tasks) {
  std::vector<RawTransfer<const std::byte>> transfers;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const bool for_root = is_for_root(files_, entries_->entries[tasks[i].write->entry], tasks[i]);
    if (files_.pieces[i].file == 0 && !for_root) {
      transfers.push_back({files_.pieces[i], tasks[i].write->box, tasks[i].elements});
      if (!checksums_.empty()) {
        checksums_[i] = xxh3(tasks[i].elements);
      }
    }
  }
  if (transfers.empty()) {
    return {};
  }
  SHARDMARK_ASSIGN_OR_RETURN(const RawFile file,
                             RawFile::open(files_.paths.front(), RawFile::Access::write, false));
  RawWriter writer(1, counters_);
  TransferRuns<const std::byte> runs(transfers);
  while (!runs.done()) {
    const auto run = runs.take(INT64_MAX);
    SHARDMARK_RETURN_IF_ERROR(
        writer.put(file, {run.data, static_cast<std::size_t>(run.num_bytes)}, run.offset, nullptr));
  }
  return writer.finish();
}

Status Hdf5Writer::write_checksums() {
  if (files_.checksums_address < 0 && !files_.clients.several()) {
    return {};
  }
  counters_.bytes_written += static_cast<std::int64_t>(checksums_.size() * sizeof(std::uint64_t));
  if (in_data_files() || files_.clients.several()) {
    SHARDMARK_ASSIGN_OR_RETURN(const std::int64_t requests,
                               write_small_pieces(files_, {entries_, tasks_, checksums_}, comm_));
    counters_.write_requests += requests;
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
  counters_.write_requests += checksums_.empty() ? 0 : 1;
  return file_->write_words(*dataset, positions, checksums_);
}

Status Hdf5Writer::sync() const {
  SHARDMARK_RETURN_IF_ERROR(fsync_path(files_.paths.front()));
  return number() == 0 ? Status() : fsync_path(path());
}

Status Hdf5Writer::flush() {
  const Hdf5Lock lock;
  const auto agree = [this](const Status& local) { return agree_waiting(local, clock_, comm_); };
  // Durable first: a failed write-back shows here, while nobody is inside HDF5, and after it the
  // proof holds for all nodes.
  if (const Status synced = agree(sync()); !synced) {
    return fail_for_good(synced);
  }
  Status proof = prove();
  if (proof && file_ && sharers().is_root()) {
    proof = rehearse_close();
  }
  if (const Status proven = agree(proof); !proven) {
    return fail_for_good(proven);
  }
  const Status closed = file_ ? file_->close() : Status();
  file_.reset();
  if (const Status agreed = agree(closed); !agreed) {
    return fail_for_good(agreed);
  }
  SHARDMARK_RETURN_IF_ERROR(agree(sync()));
  // The close has written through one client what others may have changed.
  return files_.clients.several() ? agree(prove()) : Status();
}

Status Hdf5Writer::prove() const {
  return prove_written(files_, {entries_, tasks_, checksums_}, {}, comm_);
}

Status Hdf5Writer::rehearse_close() const {
  // H5Fclose writes the superblock on one rank, and where that fails the others wait inside it for
  // ever: the same write is tried first.
  SHARDMARK_ASSIGN_OR_RETURN(const FileDescriptor raw, open_file(path(), O_RDWR));
  std::array<std::byte, 48> superblock{};
  SHARDMARK_RETURN_IF_ERROR(read_at(raw, path(), superblock, 0));
  return write_at(raw, path(), superblock, 0);
}

Status Hdf5Writer::fail_for_good(const Status& status) {
  if (file_) {
    file_->abandon();
    file_.reset();
  }
  mark_hdf5_unusable();
  return status;
}

}  // namespace shardmark
