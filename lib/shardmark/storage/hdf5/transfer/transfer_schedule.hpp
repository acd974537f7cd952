// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "shardmark/core/box.hpp"
#include "shardmark/core/dtype.hpp"
#include "shardmark/core/result.hpp"
#include "shardmark/mpi/communicator.hpp"
#include "shardmark/storage/format/manifest.hpp"
#include "shardmark/storage/hdf5/library/handle.hpp"
#include "shardmark/storage/hdf5/library/parallel_file.hpp"

namespace shardmark {

/// Most bytes of one HDF5 transfer. HDF5 1.10.8 fails on one independent transfer of 2 GiB and
/// more.
inline constexpr std::int64_t max_transfer_bytes = std::int64_t{512} << 20;
/// Most bytes of one transfer through staging: the buffer's size.
inline constexpr std::int64_t staging_bytes = std::int64_t{8} << 20;

/// One transfer: a slab of a task's box.
struct TransferPiece {
  std::size_t task = 0;
  std::uint32_t dataset = 0;
  Box box;              // in the global tensor
  Box in_dataset;       // the same elements in the dataset; 1-D where that is
  bool staged = false;  // its strides no HDF5 selection can express
};

/// A dataset of the file that is transferred to or from.
struct DatasetRef {
  std::string path;
  Dtype dtype = Dtype::uint8;
  std::string fqn;  // for messages
};

/// The datasets of a file, by a number that all its ranks agree on.
struct DatasetList {
  std::uint32_t count = 0;
  std::function<Result<DatasetRef>(std::uint32_t dataset)> describe;
};

/// Where a task's box lies in its dataset.
struct DatasetPlace {
  std::uint32_t dataset = 0;
  Dims origin;  // the tensor's element at which the dataset begins
  std::int64_t first =
      -1;  // of a 1-D dataset, where the box begins; -1: the dataset has the tensor's ndim
};

/// Local. Appends the pieces of one task. `strides` are those of its elements.
void append_pieces(std::size_t task, const DatasetPlace& place, const Box& box, const Dims& strides,
                   std::int64_t itemsize, std::vector<TransferPiece>& pieces);

/// Local. The same for a part of a chunk that lies in a 1-D dataset: `box` is a part of `chunk`,
/// which begins there at `place.first`. One piece or more for each run.
void append_packed_pieces(std::size_t task, const DatasetPlace& place, const StoredPiece& chunk,
                          const Box& box, const Dims& strides, std::int64_t itemsize,
                          std::vector<TransferPiece>& pieces);

/// Moves one piece, or, with null, takes part in a collective transfer with nothing.
using TransferOne =
    std::function<Status(const H5Dataset& dataset, const H5Type& type, const TransferPiece* piece)>;
/// Looks at a dataset when it is opened.
using CheckDataset = std::function<Status(const H5Dataset& dataset, std::uint32_t number)>;

/// Collective. Runs pieces in the given mode, by dataset. In collective mode all ranks walk the
/// same datasets in the same order, as often as the rank with most pieces needs; a rank that fails
/// goes on taking part with nothing, so that no other waits for it. The first local failure is
/// returned, not agreed.
Status run_transfers(const ParallelFile& file, IoMode io, const DatasetList& datasets,
                     std::vector<TransferPiece> pieces, const CheckDataset& check,
                     const TransferOne& transfer, const Communicator& comm);

}  // namespace shardmark
