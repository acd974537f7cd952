// SPDX-License-Identifier: Apache-2.0
#include <hdf5.h>

#include <algorithm>
#include <array>
#include <optional>

#include "bench/ceiling/ceiling_transfer.hpp"
#include "shardmark/storage/hdf5/library/final_view.hpp"
#include "shardmark/storage/hdf5/library/handle.hpp"
#include "shardmark/storage/hdf5/library/hdf5_call.hpp"
#include "shardmark/storage/posix/file.hpp"

namespace shardmark::bench {
namespace {

constexpr const char* dataset_name = "bytes";
constexpr hsize_t alignment_bytes = hsize_t{1} << 20;

/// One HDF5 file with one dataset of bytes, and how it is moved.
struct BareFile {
  H5Properties access;
  H5File file;
  H5Dataset dataset;
  H5Properties transfer;
};

Result<H5Properties> properties_of(hid_t kind) {
  return hdf5_handle<H5Properties>(H5Pcreate(kind), "H5Pcreate", "of a ceiling");
}

Result<H5Properties> access_of(const CeilingTransfer& transfer) {
  SHARDMARK_ASSIGN_OR_RETURN(H5Properties access, properties_of(H5P_FILE_ACCESS));
  SHARDMARK_RETURN_IF_ERROR(
      hdf5_status(H5Pset_fapl_mpio(access.get(), transfer.comm.handle(), MPI_INFO_NULL),
                  "H5Pset_fapl_mpio", "of a ceiling"));
  SHARDMARK_RETURN_IF_ERROR(hdf5_status(H5Pset_alignment(access.get(), 1, alignment_bytes),
                                        "H5Pset_alignment", "of a ceiling"));
  return access;
}

/// What it has opened before a failure is in `bare`: to close it here would be collective.
Status open_bare(const CeilingTransfer& transfer, BareFile& bare) {
  const char* const path = transfer.paths.front().c_str();
  SHARDMARK_ASSIGN_OR_RETURN(bare.access, access_of(transfer));
  SHARDMARK_ASSIGN_OR_RETURN(bare.transfer, properties_of(H5P_DATASET_XFER));
  SHARDMARK_RETURN_IF_ERROR(hdf5_status(
      H5Pset_dxpl_mpio(bare.transfer.get(),
                       transfer.option.collective ? H5FD_MPIO_COLLECTIVE : H5FD_MPIO_INDEPENDENT),
      "H5Pset_dxpl_mpio", path));
  if (!transfer.kind.saves) {
    SHARDMARK_ASSIGN_OR_RETURN(
        bare.file,
        hdf5_handle<H5File>(H5Fopen(path, H5F_ACC_RDONLY, bare.access.get()), "H5Fopen", path));
    SHARDMARK_ASSIGN_OR_RETURN(
        bare.dataset, hdf5_handle<H5Dataset>(H5Dopen2(bare.file.get(), dataset_name, H5P_DEFAULT),
                                             "H5Dopen2", path));
    return {};
  }
  SHARDMARK_ASSIGN_OR_RETURN(
      bare.file, hdf5_handle<H5File>(H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, bare.access.get()),
                                     "H5Fcreate", path));
  const auto size = static_cast<hsize_t>(transfer.total_bytes);
  SHARDMARK_ASSIGN_OR_RETURN(
      const H5Space space,
      hdf5_handle<H5Space>(H5Screate_simple(1, &size, nullptr), "H5Screate_simple", path));
  SHARDMARK_ASSIGN_OR_RETURN(
      bare.dataset,
      hdf5_handle<H5Dataset>(H5Dcreate2(bare.file.get(), dataset_name, H5T_STD_U8LE, space.get(),
                                        H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                             "H5Dcreate2", path));
  return {};
}

/// What a piece is in file and memory; nothing selected without one.
struct Selections {
  H5Space in_file;
  H5Space in_memory;
};

Result<Selections> select(const BareFile& bare, const CeilingPiece* piece) {
  const auto start = static_cast<hsize_t>(piece == nullptr ? 0 : piece->position);
  const auto count = static_cast<hsize_t>(piece == nullptr ? 1 : piece->num_bytes);
  Selections made;
  SHARDMARK_ASSIGN_OR_RETURN(made.in_file, hdf5_handle<H5Space>(H5Dget_space(bare.dataset.get()),
                                                                "H5Dget_space", dataset_name));
  SHARDMARK_ASSIGN_OR_RETURN(
      made.in_memory,
      hdf5_handle<H5Space>(H5Screate_simple(1, &count, nullptr), "H5Screate_simple", dataset_name));
  if (piece != nullptr) {
    SHARDMARK_RETURN_IF_ERROR(hdf5_status(
        H5Sselect_hyperslab(made.in_file.get(), H5S_SELECT_SET, &start, nullptr, &count, nullptr),
        "H5Sselect_hyperslab", dataset_name));
    return made;
  }
  for (const H5Space* space : {&made.in_file, &made.in_memory}) {
    SHARDMARK_RETURN_IF_ERROR(
        hdf5_status(H5Sselect_none(space->get()), "H5Sselect_none", dataset_name));
  }
  return made;
}

/// The status of a transfer, once the other ranks wait for nothing of it.
Status finish_transfer(herr_t return_code, const char* function, const BareFile& bare) {
  const bool left_out = final_view_left_out(return_code);
  Status status = hdf5_status(return_code, function, "of a ceiling");
  if (!left_out) {
    return status;
  }
  const auto hints = hints_in_force(bare.access, "of a ceiling");
  return hints ? make_up_for_final_view(bare.file, *hints, status) : status;
}

Status move_selection(const BareFile& bare, const CeilingTransfer& transfer,
                      const CeilingPiece* piece) {
  SHARDMARK_ASSIGN_OR_RETURN(const Selections selected, select(bare, piece));
  std::byte nothing{};
  if (transfer.kind.saves) {
    const std::byte* from = piece == nullptr ? &nothing : transfer.memory.source(*piece).data();
    return finish_transfer(H5Dwrite(bare.dataset.get(), H5T_STD_U8LE, selected.in_memory.get(),
                                    selected.in_file.get(), bare.transfer.get(), from),
                           "H5Dwrite", bare);
  }
  std::byte* to = piece == nullptr ? &nothing : transfer.memory.target(*piece).data();
  return finish_transfer(H5Dread(bare.dataset.get(), H5T_STD_U8LE, selected.in_memory.get(),
                                 selected.in_file.get(), bare.transfer.get(), to),
                         "H5Dread", bare);
}

/// After a failure inside HDF5, on whichever rank, its file stays open: closing waits for all
/// ranks.
Status give_up(BareFile& bare, const Status& why) {
  bare.dataset.release();
  bare.file.release();
  mark_hdf5_unusable();
  return why;
}

}  // namespace

Status move_through_hdf5(const CeilingTransfer& transfer) {
  const bool saves = transfer.kind.saves;
  transfer.clock.enter(saves ? Phase::write : Phase::read);
  const Hdf5Lock lock;
  SHARDMARK_RETURN_IF_ERROR(transfer.comm.agree(prepare_hdf5()));
  BareFile bare;
  if (const Status agreed = transfer.comm.agree(open_bare(transfer, bare)); !agreed) {
    return give_up(bare, agreed);
  }
  std::size_t rounds = transfer.pieces.size();
  if (transfer.option.collective) {
    rounds = static_cast<std::size_t>(
        transfer.comm.all_reduce(static_cast<std::int64_t>(rounds), MPI_MAX));
  }
  Status moved;
  for (std::size_t i = 0; i < rounds; ++i) {
    const CeilingPiece* piece = i < transfer.pieces.size() && moved ? &transfer.pieces[i] : nullptr;
    if (piece != nullptr || transfer.option.collective) {
      const Status done = move_selection(bare, transfer, piece);
      moved = moved ? done : moved;
    }
  }
  if (const Status agreed = transfer.comm.agree(moved); !agreed) {
    return give_up(bare, agreed);
  }
  if (saves) {
    transfer.clock.enter(Phase::flush);
  }
  bare.dataset = H5Dataset();
  SHARDMARK_RETURN_IF_ERROR(close_hdf5_file(bare.file, "a ceiling"));
  return saves ? fsync_path(transfer.paths.front()) : Status();
}

Result<std::int64_t> bare_dataset_address(const std::string& path, const Communicator& comm) {
  Status found;
  std::int64_t address = 0;
  if (comm.is_root()) {
    const Hdf5Lock lock;
    found = [&]() -> Status {
      SHARDMARK_RETURN_IF_ERROR(prepare_hdf5());
      SHARDMARK_ASSIGN_OR_RETURN(
          const H5File file, hdf5_handle<H5File>(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT),
                                                 "H5Fopen", path.c_str()));
      SHARDMARK_ASSIGN_OR_RETURN(
          const H5Dataset dataset,
          hdf5_handle<H5Dataset>(H5Dopen2(file.get(), dataset_name, H5P_DEFAULT), "H5Dopen2",
                                 path.c_str()));
      const haddr_t offset = H5Dget_offset(dataset.get());
      address = static_cast<std::int64_t>(offset);
      return offset == HADDR_UNDEF ? Status(hdf5_error("H5Dget_offset", path.c_str())) : Status();
    }();
  }
  SHARDMARK_RETURN_IF_ERROR(comm.agree(found));
  return comm.all_reduce(address, MPI_MAX);
}

}  // namespace shardmark::bench
