// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/hdf5/library/parallel_file.hpp"

#include <span>
#include <vector>

#include "shardmark/mpi/mpi_call.hpp"
#include "shardmark/storage/hdf5/library/hdf5_call.hpp"
#include "shardmark/storage/hdf5/library/selection.hpp"

namespace shardmark {
namespace {

Result<H5Properties> make_properties(hid_t kind) {
  return hdf5_handle<H5Properties>(H5Pcreate(kind), "H5Pcreate", "");
}

Result<MPI_Info> make_info(const std::map<std::string, std::string>& hints) {
  MPI_Info info = MPI_INFO_NULL;
  if (hints.empty()) {
    return info;
  }
  SHARDMARK_RETURN_IF_ERROR(mpi_call(MPI_Info_create(&info), "MPI_Info_create"));
  for (const auto& [key, value] : hints) {
    SHARDMARK_RETURN_IF_ERROR(
        mpi_call(MPI_Info_set(info, key.c_str(), value.c_str()), "MPI_Info_set"));
  }
  return info;
}

}  // namespace

Result<ParallelFile> ParallelFile::open(const std::string& path, Access access, IoMode io,
                                        const std::map<std::string, std::string>& hints,
                                        const Communicator& comm) {
  SHARDMARK_RETURN_IF_ERROR(prepare_hdf5());
  ParallelFile file;
  file.io_ = io;
  SHARDMARK_ASSIGN_OR_RETURN(const H5Properties file_access, make_properties(H5P_FILE_ACCESS));
  SHARDMARK_ASSIGN_OR_RETURN(file.dataset_access_, make_properties(H5P_DATASET_ACCESS));
  SHARDMARK_ASSIGN_OR_RETURN(file.transfer_, make_properties(H5P_DATASET_XFER));
  SHARDMARK_ASSIGN_OR_RETURN(file.collective_transfer_, make_properties(H5P_DATASET_XFER));
  const bool collective = io == IoMode::collective;
  SHARDMARK_ASSIGN_OR_RETURN(MPI_Info info, make_info(hints));
  herr_t set = H5Pset_fapl_mpio(file_access.get(), comm.handle(), info);
  if (info != MPI_INFO_NULL) {
    MPI_Info_free(&info);  // HDF5 keeps a copy
  }
  // On the file alone, collective metadata reads do nothing in HDF5 1.10.5 to 1.10.8: on both, one
  // rank reads headers for all.
  set |= collective ? H5Pset_all_coll_metadata_ops(file_access.get(), true) : 0;
  set |= collective ? H5Pset_all_coll_metadata_ops(file.dataset_access_.get(), true) : 0;
  set |= H5Pset_dxpl_mpio(file.transfer_.get(),
                          collective ? H5FD_MPIO_COLLECTIVE : H5FD_MPIO_INDEPENDENT);
  set |= H5Pset_dxpl_mpio(file.collective_transfer_.get(), H5FD_MPIO_COLLECTIVE);
  SHARDMARK_RETURN_IF_ERROR(hdf5_status(set, "H5Pset_fapl_mpio", path.c_str()));
  SHARDMARK_ASSIGN_OR_RETURN(
      file.file_, hdf5_handle<H5File>(
                      H5Fopen(path.c_str(), access == Access::read ? H5F_ACC_RDONLY : H5F_ACC_RDWR,
                              file_access.get()),
                      "H5Fopen", path.c_str()));
  return file;
}

Status ParallelFile::close() {
  return hdf5_status(H5Fclose(file_.release()), "H5Fclose", "of the shared file");
}

Result<H5Dataset> ParallelFile::open_dataset(const std::string& path) const {
  return hdf5_handle<H5Dataset>(H5Dopen2(file_.get(), path.c_str(), dataset_access_.get()),
                                "H5Dopen2", path.c_str());
}

void ParallelFile::note_cause() {
  if (io_ != IoMode::collective) {
    return;
  }
  std::uint32_t local = 0;
  std::uint32_t global = 0;
  if (H5Pget_mpio_no_collective_cause(transfer_.get(), &local, &global) >= 0) {
    no_collective_cause_ |= local | global;
    last_own_cause_ = local;
    last_any_cause_ = local | global;
  }
}

/// The status of a transfer. HDF5 ends a collective transfer with MPI_File_set_view, which is
/// collective too, and leaves it out where the transfer failed: this rank makes up for it, or the
/// ranks whose part succeeded would wait there for ever (ROMIO).
Status ParallelFile::finish_transfer(herr_t return_code, const char* function, const char* object) {
  // Only collective transfers name these functions.
  const bool left_out = return_code < 0 && (hdf5_failed_in("MPI_File_write_at_all") ||
                                            hdf5_failed_in("MPI_File_read_at_all"));
  const Status status = hdf5_status(return_code, function, object);
  void* handle = nullptr;
  if (left_out && H5Fget_vfd_handle(file_.get(), H5P_DEFAULT, &handle) >= 0) {
    MPI_File_set_view(*static_cast<MPI_File*>(handle), 0, MPI_BYTE, MPI_BYTE, "native",
                      MPI_INFO_NULL);
  }
  return status;
}

Status ParallelFile::write(const H5Dataset& dataset, const H5Type& type,
                           const std::optional<Box>& box, const ConstTensorView& elements) {
  SHARDMARK_ASSIGN_OR_RETURN(const H5Space in_file, file_selection(dataset, box));
  auto in_memory = box ? memory_selection(elements.sizes, elements.strides) : std::nullopt;
  if (!in_memory) {
    SHARDMARK_ASSIGN_OR_RETURN(in_memory, empty_memory_selection());
  }
  const std::byte nothing{};
  const herr_t done = H5Dwrite(dataset.get(), type.get(), in_memory->get(), in_file.get(),
                               transfer_.get(), box ? elements.data : &nothing);
  const Status written = finish_transfer(done, "H5Dwrite", "");
  note_cause();
  return written;
}

Status ParallelFile::read(const H5Dataset& dataset, const H5Type& type,
                          const std::optional<Box>& box, const TensorView& elements) {
  SHARDMARK_ASSIGN_OR_RETURN(const H5Space in_file, file_selection(dataset, box));
  auto in_memory = box ? memory_selection(elements.sizes, elements.strides) : std::nullopt;
  if (!in_memory) {
    SHARDMARK_ASSIGN_OR_RETURN(in_memory, empty_memory_selection());
  }
  std::byte nothing{};
  const herr_t done = H5Dread(dataset.get(), type.get(), in_memory->get(), in_file.get(),
                              transfer_.get(), box ? elements.data : &nothing);
  const Status got = finish_transfer(done, "H5Dread", "");
  note_cause();
  return got;
}

Status ParallelFile::write_words(const H5Dataset& dataset, std::span<const std::uint64_t> positions,
                                 std::span<const std::uint64_t> words) {
  SHARDMARK_ASSIGN_OR_RETURN(const H5Space in_file, file_selection(dataset, std::nullopt));
  SHARDMARK_ASSIGN_OR_RETURN(H5Space in_memory, empty_memory_selection());
  if (!positions.empty()) {
    const std::vector<hsize_t> points(positions.begin(), positions.end());
    const hsize_t count = points.size();
    SHARDMARK_RETURN_IF_ERROR(
        hdf5_status(H5Sselect_elements(in_file.get(), H5S_SELECT_SET, points.size(), points.data()),
                    "H5Sselect_elements", "checksums"));
    in_memory = H5Space(H5Screate_simple(1, &count, nullptr));
  }
  const std::uint64_t nothing = 0;
  const herr_t done = H5Dwrite(dataset.get(), H5T_STD_U64LE, in_memory.get(), in_file.get(),
                               collective_transfer_.get(), words.empty() ? &nothing : words.data());
  return finish_transfer(done, "H5Dwrite", "checksums");
}

}  // namespace shardmark
