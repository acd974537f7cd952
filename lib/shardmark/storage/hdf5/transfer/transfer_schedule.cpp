// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/hdf5/transfer/transfer_schedule.hpp"

#include <algorithm>

#include "shardmark/storage/hdf5/files/entry_file.hpp"
#include "shardmark/storage/hdf5/library/datatype.hpp"
#include "shardmark/storage/hdf5/library/hdf5_call.hpp"
#include "shardmark/storage/hdf5/library/selection.hpp"

namespace shardmark {
namespace {

struct OpenEntry {
  H5Dataset dataset;
  H5Type type;
  std::string fqn;
};

/// "H5Dwrite : why" says nothing of the tensor: add it.
Error named(const Error& error, const std::string& fqn) {
  return {error.code, "'" + fqn + "': " + error.message, error.rank};
}

Result<OpenEntry> open_dataset(const ParallelFile& file, const DatasetList& datasets,
                               std::uint32_t number, const CheckDataset& check) {
  SHARDMARK_ASSIGN_OR_RETURN(const DatasetRef ref, datasets.describe(number));
  OpenEntry open;
  const auto fill = [&]() -> Status {
    SHARDMARK_ASSIGN_OR_RETURN(open.dataset, file.open_dataset(ref.path));
    SHARDMARK_ASSIGN_OR_RETURN(open.type, hdf5_type(ref.dtype));
    return check(open.dataset, number);
  };
  if (const Status filled = fill(); !filled) {
    return named(filled.error(), ref.fqn);
  }
  open.fqn = ref.fqn;
  return open;
}

Status run_independent(const ParallelFile& file, const DatasetList& datasets,
                       const std::vector<TransferPiece>& pieces, const CheckDataset& check,
                       const TransferOne& transfer) {
  std::optional<OpenEntry> open;
  std::uint32_t current = 0;
  for (const TransferPiece& piece : pieces) {
    if (!open || current != piece.dataset) {
      open.reset();
      SHARDMARK_ASSIGN_OR_RETURN(open, open_dataset(file, datasets, piece.dataset, check));
      current = piece.dataset;
    }
    if (const Status done = transfer(open->dataset, open->type, &piece); !done) {
      return named(done.error(), open->fqn);
    }
  }
  return {};
}

// Datasets held open at a time: opening is agreed on once a batch.
constexpr std::size_t batch_size = 512;

/// `batch` lists datasets and how many transfers each takes on the rank that has most.
Status run_batch(const ParallelFile& file, const DatasetList& datasets,
                 std::span<const std::pair<std::uint32_t, std::uint64_t>> batch,
                 std::vector<TransferPiece>::const_iterator& next,
                 std::vector<TransferPiece>::const_iterator end, const CheckDataset& check,
                 const TransferOne& transfer, Status& failed, const Communicator& comm) {
  std::vector<OpenEntry> open;
  Status opened;
  for (const auto& [dataset, rounds] : batch) {
    auto one = open_dataset(file, datasets, dataset, check);
    if (!one) {
      opened = one.error();
      break;
    }
    open.push_back(std::move(*one));
  }
  SHARDMARK_RETURN_IF_ERROR(comm.agree(opened));
  for (std::size_t i = 0; i < batch.size(); ++i) {
    for (std::uint64_t round = 0; round < batch[i].second; ++round) {
      const TransferPiece* piece =
          next != end && next->dataset == batch[i].first && failed ? &*next : nullptr;
      const Status done = transfer(open[i].dataset, open[i].type, piece);
      if (!done && failed) {
        failed = named(done.error(), open[i].fqn);
      }
      if (next != end && next->dataset == batch[i].first) {
        ++next;
      }
    }
  }
  return {};
}

Status run_collective(const ParallelFile& file, const DatasetList& datasets,
                      const std::vector<TransferPiece>& pieces, const CheckDataset& check,
                      const TransferOne& transfer, const Communicator& comm) {
  std::vector<std::uint64_t> rounds(datasets.count, 0);
  for (const TransferPiece& piece : pieces) {
    ++rounds[piece.dataset];
  }
  comm.all_reduce(rounds, MPI_MAX);
  std::vector<std::pair<std::uint32_t, std::uint64_t>> work;
  for (std::uint32_t dataset = 0; dataset < rounds.size(); ++dataset) {
    if (rounds[dataset] > 0) {
      work.emplace_back(dataset, rounds[dataset]);
    }
  }
  Status failed;
  auto next = pieces.begin();
  for (std::size_t first = 0; first < work.size(); first += batch_size) {
    const auto batch = std::span(work).subspan(first, std::min(batch_size, work.size() - first));
    SHARDMARK_RETURN_IF_ERROR(
        run_batch(file, datasets, batch, next, pieces.end(), check, transfer, failed, comm));
  }
  return failed;
}

}  // namespace

void append_pieces(std::size_t task, const DatasetPlace& place, const Box& box, const Dims& strides,
                   std::int64_t itemsize, std::vector<TransferPiece>& pieces) {
  const bool staged = !memory_selection(box.sizes, strides);
  const std::int64_t limit = (staged ? staging_bytes : max_transfer_bytes) / itemsize;
  std::int64_t done = 0;  // slabs come in row-major order, as they lie in a 1-D dataset
  for_each_slab(box, limit, [&](const Box& slab) {
    const std::int64_t count = slab.num_elements();
    const Box in_dataset =
        place.first < 0 ? relative_to(slab, place.origin) : Box{{place.first + done}, {count}};
    pieces.push_back({task, place.dataset, slab, in_dataset, staged});
    done += count;
  });
}

void append_packed_pieces(std::size_t task, const DatasetPlace& place, const StoredPiece& chunk,
                          const Box& box, const Dims& strides, std::int64_t itemsize,
                          std::vector<TransferPiece>& pieces) {
  // A run covers the last dimension that is cut and all after it; those before give one slice each.
  int inner = box.ndim();
  while (inner > 0 && box.sizes[inner - 1] == chunk.sizes[inner - 1]) {
    --inner;
  }
  inner = std::max(inner - 1, 0);
  Dims at = Dims::filled(inner, 0);
  for_each_run(relative_to(box, chunk.offsets), chunk.sizes,
               [&](std::int64_t element, std::int64_t) {
                 Box slice = box;
                 for (int d = 0; d < inner; ++d) {
                   slice.offsets[d] += at[d];
                   slice.sizes[d] = 1;
                 }
                 const DatasetPlace run{place.dataset, place.origin, place.first + element};
                 append_pieces(task, run, slice, strides, itemsize, pieces);
                 for (int d = inner - 1; d >= 0 && ++at[d] == box.sizes[d]; --d) {
                   at[d] = 0;
                 }
               });
}

Status run_transfers(const ParallelFile& file, IoMode io, const DatasetList& datasets,
                     std::vector<TransferPiece> pieces, const CheckDataset& check,
                     const TransferOne& transfer, const Communicator& comm) {
  std::stable_sort(
      pieces.begin(), pieces.end(),
      [](const TransferPiece& a, const TransferPiece& b) { return a.dataset < b.dataset; });
  return io == IoMode::collective ? run_collective(file, datasets, pieces, check, transfer, comm)
                                  : run_independent(file, datasets, pieces, check, transfer);
}

}  // namespace shardmark
