// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/hdf5/library/dataset_facts.hpp"

#include <algorithm>
#include <array>

#include "shardmark/storage/hdf5/library/hdf5_call.hpp"

namespace shardmark {

Result<DatasetFacts> dataset_facts(const H5Dataset& dataset, const std::string& name) {
  const char* const text = name.c_str();
  SHARDMARK_ASSIGN_OR_RETURN(
      const H5Space space, hdf5_handle<H5Space>(H5Dget_space(dataset.get()), "H5Dget_space", text));
  SHARDMARK_ASSIGN_OR_RETURN(const H5Type type,
                             hdf5_handle<H5Type>(H5Dget_type(dataset.get()), "H5Dget_type", text));
  DatasetFacts facts;
  facts.ndim = H5Sget_simple_extent_ndims(space.get());
  facts.num_elements = H5Sget_simple_extent_npoints(space.get());
  facts.itemsize = static_cast<std::int64_t>(H5Tget_size(type.get()));
  if (facts.ndim < 0 || facts.num_elements < 0 || facts.itemsize == 0) {
    return hdf5_error("H5Sget_simple_extent_npoints", text);
  }
  return facts;
}

Result<std::int64_t> address_of(const H5Dataset& dataset, const std::string& name) {
  note_hdf5_call("H5Dget_offset");
  const haddr_t address = H5Dget_offset(dataset.get());
  if (address == HADDR_UNDEF) {
    return hdf5_error("H5Dget_offset", name.c_str());
  }
  return static_cast<std::int64_t>(address);
}

Result<std::int64_t> tile_address(const H5Dataset& dataset, const Dims& offsets) {
  std::array<hsize_t, max_ndim> coordinates{};
  std::transform(offsets.begin(), offsets.end(), coordinates.begin(),
                 [](std::int64_t value) { return static_cast<hsize_t>(value); });
  unsigned filters = 0;
  haddr_t address = HADDR_UNDEF;
  hsize_t num_bytes = 0;
  const std::string where = to_string(offsets);
  SHARDMARK_RETURN_IF_ERROR(hdf5_status(
      H5Dget_chunk_info_by_coord(dataset.get(), coordinates.data(), &filters, &address, &num_bytes),
      "H5Dget_chunk_info_by_coord", where.c_str()));
  if (address == HADDR_UNDEF) {
    return Error{ErrorCode::io_error, "HDF5 has no place for the hdf5_chunk at " + where};
  }
  return static_cast<std::int64_t>(address);
}

}  // namespace shardmark
