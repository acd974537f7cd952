// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/hdf5/transfer/hdf5_reader.hpp"

#include <array>
#include <vector>

#include "shardmark/core/progress.hpp"
#include "shardmark/plan/tables/chunk_numbers.hpp"
#include "shardmark/storage/direct/direct_reader.hpp"
#include "shardmark/storage/hdf5/files/entry_file.hpp"
#include "shardmark/storage/hdf5/library/dataset_facts.hpp"
#include "shardmark/storage/hdf5/library/hdf5_call.hpp"

namespace shardmark {
namespace {

Error elsewhere() {
  return {ErrorCode::data_loss, "HDF5 places the dataset elsewhere than the manifest does"};
}

bool is_packed(const EntryLocation& location) {
  return location.stored_as == StoredAs::separate;  // in the entry file
}

/// Where the packed datasets begin: the lowest address of any of their chunks, which fill them from
/// the first element on.
std::array<std::int64_t, num_dtypes> packed_addresses(const Manifest& manifest) {
  std::array<std::int64_t, num_dtypes> addresses{};
  addresses.fill(-1);
  for (std::size_t i = 0; i < manifest.entries.entries.size(); ++i) {
    const Entry& entry = manifest.entries.entries[i];
    if (!is_packed(manifest.locations[i])) {
      continue;
    }
    for (const std::uint64_t c : ChunkNumbers(entry)) {
      const StoredPiece piece = manifest.piece_of(i, c);
      std::int64_t& first = addresses[static_cast<std::size_t>(entry.dtype)];
      if (piece.file == 0 && (first < 0 || piece.address < first)) {
        first = piece.address;
      }
    }
  }
  return addresses;
}

Status check_address(const H5Dataset& dataset, const std::string& name, std::int64_t expected) {
  SHARDMARK_ASSIGN_OR_RETURN(const std::int64_t address, address_of(dataset, name));
  return address == expected ? Status() : Status(elsewhere());
}

/// What HDF5 says of a tensor's or object's dataset must be what the manifest says.
Status check_dataset(const H5Dataset& dataset, const Manifest& manifest, std::size_t index) {
  const Entry& entry = manifest.entries.entries[index];
  const EntryLocation& location = manifest.locations[index];
  SHARDMARK_ASSIGN_OR_RETURN(const DatasetFacts facts, dataset_facts(dataset, entry.fqn));
  if (facts.ndim != entry.sizes.ndim() || facts.num_elements != volume(entry.sizes) ||
      facts.itemsize != element_size(entry.dtype)) {
    return elsewhere();
  }
  if (location.stored_as == StoredAs::whole) {
    return check_address(dataset, entry.fqn, location.address);
  }
  for (const std::uint64_t c : ChunkNumbers(entry)) {
    const StoredPiece piece = manifest.piece_of(index, c);
    SHARDMARK_ASSIGN_OR_RETURN(const std::int64_t address, tile_address(dataset, piece.offsets));
    if (address != piece.address) {
      return elsewhere();
    }
  }
  return {};
}

DatasetList datasets_of(const Manifest& manifest) {
  const auto num_entries = static_cast<std::uint32_t>(manifest.entries.entries.size());
  return {num_entries + num_dtypes,
          [&manifest, num_entries](std::uint32_t number) -> Result<DatasetRef> {
            if (number >= num_entries) {
              const Dtype dtype = *dtype_from_number(number - num_entries);
              return DatasetRef{packed_dataset(dtype), dtype, packed_dataset(dtype)};
            }
            const Entry& entry = manifest.entries.entries[number];
            SHARDMARK_ASSIGN_OR_RETURN(const std::string path, dataset_path(entry));
            return DatasetRef{path, entry.dtype, entry.fqn};
          }};
}

}  // namespace

Status Hdf5Reader::read(const std::string& directory, const Manifest& manifest,
                        std::span<const ReadTask> tasks) {
  const Hdf5Lock lock;
  std::vector<ReadTask> in_entry_file;
  std::vector<ReadTask> in_data_files;
  for (const ReadTask& task : tasks) {
    const StoredPiece piece = manifest.piece_of(task.read->entry, task.read->chunk);
    (piece.file == 0 ? in_entry_file : in_data_files).push_back(task);
  }
  SHARDMARK_RETURN_IF_ERROR(
      read_entry_file(directory + "/" + manifest.files.front(), manifest, in_entry_file));
  return manifest.files.size() > 1 ? read_data_files(directory, manifest, in_data_files) : Status();
}

Status Hdf5Reader::read_entry_file(const std::string& path, const Manifest& manifest,
                                   std::span<const ReadTask> tasks) {
  // A rank that may not use HDF5 would leave the others waiting inside the open.
  SHARDMARK_RETURN_IF_ERROR(comm_.agree(prepare_hdf5()));
  auto file =
      ParallelFile::open(path, ParallelFile::Access::read, options_.io, options_.hints, comm_);
  if (Status opened = comm_.agree(Status(file)); !opened) {
    if (file) {
      file->abandon();
    }
    return opened;
  }
  const auto num_entries = static_cast<std::uint32_t>(manifest.entries.entries.size());
  const auto packed_at = packed_addresses(manifest);
  std::vector<TransferPiece> pieces;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const PlannedRead& read = *tasks[i].read;
    const Entry& entry = manifest.entries.entries[read.entry];
    DatasetPlace place{read.entry, Dims::filled(entry.sizes.ndim(), 0), -1};
    if (!is_packed(manifest.locations[read.entry])) {
      append_pieces(i, place, read.box, tasks[i].elements.strides, element_size(entry.dtype),
                    pieces);
      continue;
    }
    // A part of a packed chunk is as many pieces as it has runs there.
    place.dataset = num_entries + static_cast<std::uint32_t>(entry.dtype);
    const StoredPiece piece = manifest.piece_of(read.entry, read.chunk);
    place.first = (piece.address - packed_at[static_cast<std::size_t>(entry.dtype)]) /
                  element_size(entry.dtype);
    append_packed_pieces(i, place, piece, read.box, tasks[i].elements.strides,
                         element_size(entry.dtype), pieces);
  }
  const Status got = run_transfers(
      *file, options_.io, datasets_of(manifest), std::move(pieces),
      [&](const H5Dataset& dataset, std::uint32_t number) -> Status {
        if (number < num_entries) {
          return check_dataset(dataset, manifest, number);
        }
        const std::uint32_t dtype = number - num_entries;
        return check_address(dataset, packed_dataset(*dtype_from_number(dtype)), packed_at[dtype]);
      },
      [&](const H5Dataset& dataset, const H5Type& type, const TransferPiece* piece) {
        if (piece != nullptr) {
          note_tensor(manifest.entries.entries[tasks[piece->task].read->entry].fqn);
        }
        return read_piece(*file, dataset, type, piece, tasks);
      },
      comm_);
  const Status agreed = comm_.agree(got);
  const Status closed = comm_.agree(file->close());
  return agreed ? closed : agreed;
}

Status Hdf5Reader::read_piece(ParallelFile& file, const H5Dataset& dataset, const H5Type& type,
                              const TransferPiece* piece, std::span<const ReadTask> tasks) {
  if (piece == nullptr) {
    return file.read(dataset, type, std::nullopt, {});
  }
  const ReadTask& task = tasks[piece->task];
  const TensorView elements =
      task.elements.subview(relative_to(piece->box, task.read->box.offsets));
  const TensorView target = piece->staged ? staging_.reserve(elements) : elements;
  counters_.add(elements.num_bytes());
  Status status = file.read(dataset, type, piece->in_dataset, target);
  if (piece->staged) {
    staging_.unpack(elements);
    counters_.bytes_staged += elements.num_bytes();
  }
  return status;
}

Status Hdf5Reader::read_data_files(const std::string& directory, const Manifest& manifest,
                                   std::span<const ReadTask> tasks) {
  ReadOptions options = options_;
  options.o_direct = false;
  options.hashes = false;
  options.exchange = ExchangeLevel::off;  // of IoMode::direct alone
  DirectReader reader(options, comm_);
  Status done = reader.read(directory, manifest, tasks);
  counters_.merge(reader.counters());
  return done;
}

}  // namespace shardmark
