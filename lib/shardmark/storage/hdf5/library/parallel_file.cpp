// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/hdf5/library/parallel_file.hpp"

#include <fcntl.h>

#include <span>
#include <utility>
#include <vector>

#include "shardmark/core/progress.hpp"
#include "shardmark/mpi/io_hints.hpp"
#include "shardmark/storage/hdf5/library/final_view.hpp"
#include "shardmark/storage/hdf5/library/hdf5_call.hpp"
#include "shardmark/storage/hdf5/library/selection.hpp"
#include "shardmark/storage/posix/file.hpp"

namespace shardmark {
namespace {

Result<H5Properties> make_properties(hid_t kind) {
  return hdf5_handle<H5Properties>(H5Pcreate(kind), "H5Pcreate", "");
}

/// Of the elements; of nothing without a box.
Result<H5Space> in_memory_of(const std::optional<Box>& box, const ConstTensorView& elements) {
  if (!box) {
    return empty_memory_selection();
  }
  auto selection = memory_selection(elements.sizes, elements.strides);
  if (!selection) {
    return Error{ErrorCode::internal, "no HDF5 selection expresses strides " +
                                          to_string(elements.strides) + ": not staged"};
  }
  return std::move(*selection);
}

}  // namespace

Result<ParallelFile> ParallelFile::open(const std::string& path, Access access, IoMode io,
                                        const std::map<std::string, std::string>& hints,
                                        const Communicator& comm) {
  SHARDMARK_RETURN_IF_ERROR(prepare_hdf5());
  ParallelFile file;
  file.io_ = io;
  const auto prepare = [&]() -> Result<H5Properties> {
    SHARDMARK_ASSIGN_OR_RETURN(H5Properties file_access, make_properties(H5P_FILE_ACCESS));
    SHARDMARK_RETURN_IF_ERROR(file.set_properties(file_access, hints, comm));
    return file_access;
  };
  // A rank that has no properties, or cannot open the file, would leave the others waiting inside
  // the open.
  const auto file_access = prepare();
  const int flags = access == Access::read ? O_RDONLY : O_RDWR;
  SHARDMARK_RETURN_IF_ERROR(
      comm.agree(file_access ? Status(open_file(path, flags)) : Status(file_access)));
  SHARDMARK_ASSIGN_OR_RETURN(
      file.file_, hdf5_handle<H5File>(
                      H5Fopen(path.c_str(), access == Access::read ? H5F_ACC_RDONLY : H5F_ACC_RDWR,
                              file_access->get()),
                      "H5Fopen", path.c_str()));
  SHARDMARK_ASSIGN_OR_RETURN(file.hints_in_force_, hints_in_force(*file_access, path.c_str()));
  return file;
}

Status ParallelFile::set_properties(const H5Properties& file_access,
                                    const std::map<std::string, std::string>& hints,
                                    const Communicator& comm) {
  SHARDMARK_ASSIGN_OR_RETURN(dataset_access_, make_properties(H5P_DATASET_ACCESS));
  SHARDMARK_ASSIGN_OR_RETURN(transfer_, make_properties(H5P_DATASET_XFER));
  SHARDMARK_ASSIGN_OR_RETURN(collective_transfer_, make_properties(H5P_DATASET_XFER));
  SHARDMARK_ASSIGN_OR_RETURN(IoHints info, IoHints::make(hints));
  // HDF5 keeps a copy of the hints.
  SHARDMARK_RETURN_IF_ERROR(hdf5_status(
      H5Pset_fapl_mpio(file_access.get(), comm.handle(), info.get()), "H5Pset_fapl_mpio", ""));
  SHARDMARK_RETURN_IF_ERROR(info.release());
  const bool collective = io_ == IoMode::collective;
  if (collective) {
    // On the file alone, collective metadata reads do nothing in HDF5 1.10.5 to 1.10.8: on both,
    // one rank reads headers for all.
    for (const hid_t list : {file_access.get(), dataset_access_.get()}) {
      SHARDMARK_RETURN_IF_ERROR(hdf5_status(H5Pset_all_coll_metadata_ops(list, true),
                                            "H5Pset_all_coll_metadata_ops", ""));
    }
  }
  SHARDMARK_RETURN_IF_ERROR(hdf5_status(
      H5Pset_dxpl_mpio(transfer_.get(), collective ? H5FD_MPIO_COLLECTIVE : H5FD_MPIO_INDEPENDENT),
      "H5Pset_dxpl_mpio", ""));
  return hdf5_status(H5Pset_dxpl_mpio(collective_transfer_.get(), H5FD_MPIO_COLLECTIVE),
                     "H5Pset_dxpl_mpio", "");
}

Status ParallelFile::close() {
  return close_hdf5_file(file_, "the shared file");
}

Result<H5Dataset> ParallelFile::open_dataset(const std::string& path) const {
  return hdf5_handle<H5Dataset>(H5Dopen2(file_.get(), path.c_str(), dataset_access_.get()),
                                "H5Dopen2", path.c_str());
}

Status ParallelFile::note_cause() {
  if (io_ != IoMode::collective) {
    return {};
  }
  std::uint32_t local = 0;
  std::uint32_t global = 0;
  SHARDMARK_RETURN_IF_ERROR(
      hdf5_status(H5Pget_mpio_no_collective_cause(transfer_.get(), &local, &global),
                  "H5Pget_mpio_no_collective_cause", ""));
  no_collective_cause_ |= local | global;
  last_own_cause_ = local;
  last_any_cause_ = local | global;
  return {};
}

Status ParallelFile::finish_transfer(herr_t return_code, const char* function, const char* object) {
  const bool left_out = final_view_left_out(return_code);
  Status status = hdf5_status(return_code, function, object);
  return left_out ? make_up_for_final_view(file_, hints_in_force_, status) : status;
}

Status ParallelFile::write(const H5Dataset& dataset, const H5Type& type,
                           const std::optional<Box>& box, const ConstTensorView& elements) {
  SHARDMARK_ASSIGN_OR_RETURN(const H5Space in_file, file_selection(dataset, box));
  SHARDMARK_ASSIGN_OR_RETURN(const H5Space in_memory, in_memory_of(box, elements));
  const std::byte nothing{};
  const herr_t done = H5Dwrite(dataset.get(), type.get(), in_memory.get(), in_file.get(),
                               transfer_.get(), box ? elements.data : &nothing);
  const Status written = finish_transfer(done, "H5Dwrite", "");
  note_bytes_moved(box && written ? elements.num_bytes() : 0);
  const Status noted = note_cause();
  return written ? noted : written;
}

Status ParallelFile::read(const H5Dataset& dataset, const H5Type& type,
                          const std::optional<Box>& box, const TensorView& elements) {
  SHARDMARK_ASSIGN_OR_RETURN(const H5Space in_file, file_selection(dataset, box));
  SHARDMARK_ASSIGN_OR_RETURN(const H5Space in_memory, in_memory_of(box, elements));
  std::byte nothing{};
  const herr_t done = H5Dread(dataset.get(), type.get(), in_memory.get(), in_file.get(),
                              transfer_.get(), box ? elements.data : &nothing);
  const Status got = finish_transfer(done, "H5Dread", "");
  note_bytes_moved(box && got ? elements.num_bytes() : 0);
  const Status noted = note_cause();
  return got ? noted : got;
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
    SHARDMARK_ASSIGN_OR_RETURN(in_memory, hdf5_handle<H5Space>(H5Screate_simple(1, &count, nullptr),
                                                               "H5Screate_simple", "checksums"));
  }
  const std::uint64_t nothing = 0;
  const herr_t done = H5Dwrite(dataset.get(), H5T_STD_U64LE, in_memory.get(), in_file.get(),
                               collective_transfer_.get(), words.empty() ? &nothing : words.data());
  return finish_transfer(done, "H5Dwrite", "checksums");
}

}  // namespace shardmark
