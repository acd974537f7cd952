// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/hdf5/shared_file_reader.hpp"

#include <fmt/format.h>

#include "shardmark/storage/hdf5/hdf5_call.hpp"
#include "shardmark/storage/hdf5/parallel_file.hpp"
#include "shardmark/storage/hdf5/transfer_schedule.hpp"

namespace shardmark {
namespace {

/// What HDF5 says of a dataset must be what the manifest says.
Status check_dataset(const H5Dataset& dataset, const Entry& entry, const EntryLocation& location) {
  const H5Space space(H5Dget_space(dataset.get()));
  const H5Type type(H5Dget_type(dataset.get()));
  const haddr_t address = H5Dget_offset(dataset.get());
  const bool same =
      space && type && H5Sget_simple_extent_ndims(space.get()) == entry.sizes.ndim() &&
      H5Sget_simple_extent_npoints(space.get()) == static_cast<hssize_t>(volume(entry.sizes)) &&
      H5Tget_size(type.get()) == static_cast<std::size_t>(element_size(entry.dtype)) &&
      address == static_cast<haddr_t>(location.address);
  return same ? Status()
              : Status(Error{ErrorCode::data_loss,
                             "HDF5 places the dataset elsewhere than the manifest does"});
}

}  // namespace

Status SharedFileReader::read(const std::string& directory, const Manifest& manifest,
                              std::span<const ReadTask> tasks) {
  const std::string path = directory + "/" + manifest.files.front();
  // A rank that may not use HDF5 would leave the others waiting inside the open.
  SHARDMARK_RETURN_IF_ERROR(comm_.agree(prepare_hdf5()));
  auto file = ParallelFile::open(path, ParallelFile::Access::read, io_, comm_);
  if (const Status opened = comm_.agree(Status(file)); !opened) {
    if (file) {
      file->abandon();
    }
    return opened;
  }
  std::vector<TransferPiece> pieces;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    append_pieces(i, tasks[i].read->entry, tasks[i].read->box, tasks[i].elements.strides,
                  element_size(tasks[i].elements.dtype), pieces);
  }
  const Status got = run_transfers(
      *file, io_, manifest.entries, pieces,
      [&](const H5Dataset& dataset, std::uint32_t entry) {
        return check_dataset(dataset, manifest.entries.entries[entry], manifest.locations[entry]);
      },
      [&](const H5Dataset& dataset, const H5Type& type, const TransferPiece* piece) -> Status {
        if (piece == nullptr) {
          return file->read(dataset, type, std::nullopt, {});
        }
        const ReadTask& task = tasks[piece->task];
        Box part = piece->box;
        for (int d = 0; d < part.ndim(); ++d) {
          part.offsets[d] -= task.read->box.offsets[d];
        }
        const TensorView elements = task.elements.subview(part);
        const TensorView target = piece->staged ? staging_.reserve(elements) : elements;
        counters_.add(elements.num_bytes());
        const Status status = file->read(dataset, type, piece->box, target);
        if (piece->staged) {
          staging_.unpack(elements);
        }
        return status;
      },
      comm_);
  const Status agreed = comm_.agree(got);
  const Status closed = comm_.agree(file->close());
  return agreed ? closed : agreed;
}

}  // namespace shardmark
