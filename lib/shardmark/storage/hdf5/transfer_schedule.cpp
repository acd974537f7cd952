// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/hdf5/transfer_schedule.hpp"

#include <algorithm>

#include "shardmark/storage/hdf5/datatype.hpp"
#include "shardmark/storage/hdf5/entry_file.hpp"
#include "shardmark/storage/hdf5/hdf5_call.hpp"
#include "shardmark/storage/hdf5/selection.hpp"

namespace shardmark {
namespace {

struct OpenEntry {
  H5Dataset dataset;
  H5Type type;
};

using Check = std::function<Status(const H5Dataset&, std::uint32_t)>;

Result<OpenEntry> open_entry(const ParallelFile& file, const EntryTable& entries,
                             std::uint32_t index, const Check& check) {
  const Entry& entry = entries.entries[index];
  OpenEntry open;
  SHARDMARK_ASSIGN_OR_RETURN(const std::string path, dataset_path(entry));
  SHARDMARK_ASSIGN_OR_RETURN(open.dataset, file.open_dataset(path));
  SHARDMARK_ASSIGN_OR_RETURN(open.type, hdf5_type(entry.dtype));
  SHARDMARK_RETURN_IF_ERROR(check(open.dataset, index));
  return open;
}

/// "H5Dwrite : why" says nothing of the tensor: add it.
Error named(const Error& error, const Entry& entry) {
  return {error.code, "'" + entry.fqn + "': " + error.message, error.rank};
}

Status run_independent(const ParallelFile& file, const EntryTable& entries,
                       const std::vector<TransferPiece>& pieces, const Check& check,
                       const TransferOne& transfer) {
  std::optional<OpenEntry> open;
  std::uint32_t current = 0;
  for (const TransferPiece& piece : pieces) {
    if (!open || current != piece.entry) {
      open.reset();
      auto opened = open_entry(file, entries, piece.entry, check);
      if (!opened) {
        return named(opened.error(), entries.entries[piece.entry]);
      }
      open = std::move(*opened);
      current = piece.entry;
    }
    if (const Status done = transfer(open->dataset, open->type, &piece); !done) {
      return named(done.error(), entries.entries[piece.entry]);
    }
  }
  return {};
}

// Datasets held open at a time: opening is agreed on once a batch.
constexpr std::size_t batch_size = 512;

/// `batch` lists entries and how many transfers each takes on the rank that has most.
Status run_batch(const ParallelFile& file, const EntryTable& entries,
                 std::span<const std::pair<std::uint32_t, std::uint64_t>> batch,
                 std::vector<TransferPiece>::const_iterator& next,
                 std::vector<TransferPiece>::const_iterator end, const Check& check,
                 const TransferOne& transfer, Status& failed, const Communicator& comm) {
  std::vector<OpenEntry> open;
  Status opened;
  for (const auto& [entry, rounds] : batch) {
    auto one = open_entry(file, entries, entry, check);
    if (!one) {
      opened = named(one.error(), entries.entries[entry]);
      break;
    }
    open.push_back(std::move(*one));
  }
  SHARDMARK_RETURN_IF_ERROR(comm.agree(opened));
  for (std::size_t i = 0; i < batch.size(); ++i) {
    for (std::uint64_t round = 0; round < batch[i].second; ++round) {
      const TransferPiece* piece =
          next != end && next->entry == batch[i].first && failed ? &*next : nullptr;
      const Status done = transfer(open[i].dataset, open[i].type, piece);
      if (!done && failed) {
        failed = named(done.error(), entries.entries[batch[i].first]);
      }
      if (next != end && next->entry == batch[i].first) {
        ++next;
      }
    }
  }
  return {};
}

Status run_collective(const ParallelFile& file, const EntryTable& entries,
                      const std::vector<TransferPiece>& pieces, const Check& check,
                      const TransferOne& transfer, const Communicator& comm) {
  std::vector<std::uint64_t> rounds(entries.entries.size(), 0);
  for (const TransferPiece& piece : pieces) {
    ++rounds[piece.entry];
  }
  comm.all_reduce(rounds, MPI_MAX);
  std::vector<std::pair<std::uint32_t, std::uint64_t>> work;
  for (std::uint32_t entry = 0; entry < rounds.size(); ++entry) {
    if (rounds[entry] > 0) {
      work.emplace_back(entry, rounds[entry]);
    }
  }
  Status failed;
  auto next = pieces.begin();
  for (std::size_t first = 0; first < work.size(); first += batch_size) {
    const auto batch = std::span(work).subspan(first, std::min(batch_size, work.size() - first));
    SHARDMARK_RETURN_IF_ERROR(
        run_batch(file, entries, batch, next, pieces.end(), check, transfer, failed, comm));
  }
  return failed;
}

}  // namespace

void append_pieces(std::size_t task, std::uint32_t entry, const Box& box, const Dims& strides,
                   std::int64_t itemsize, std::vector<TransferPiece>& pieces) {
  const bool staged = !memory_selection(box.sizes, strides);
  const std::int64_t limit = (staged ? staging_bytes : max_transfer_bytes) / itemsize;
  for_each_slab(box, limit, [&](const Box& slab) {
    pieces.push_back({task, entry, slab, staged});
  });
}

Status run_transfers(const ParallelFile& file, IoMode io, const EntryTable& entries,
                     const std::vector<TransferPiece>& pieces, const Check& check,
                     const TransferOne& transfer, const Communicator& comm) {
  return io == IoMode::collective ? run_collective(file, entries, pieces, check, transfer, comm)
                                  : run_independent(file, entries, pieces, check, transfer);
}

}  // namespace shardmark
