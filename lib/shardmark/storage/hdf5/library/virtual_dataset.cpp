// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/hdf5/library/virtual_dataset.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

#include "shardmark/storage/hdf5/library/hdf5_call.hpp"
#include "shardmark/storage/hdf5/library/new_file.hpp"

namespace shardmark {
namespace {

/// HDF5 reads names of sources as printf formats.
std::string escaped(std::string_view name) {
  std::string text;
  for (const char c : name) {
    text += c;
    if (c == '%') {
      text += c;
    }
  }
  return text;
}

Result<H5Space> selected(const Dims& extents, const Box& box) {
  SHARDMARK_ASSIGN_OR_RETURN(H5Space space, dataspace_of(extents));
  std::array<hsize_t, max_ndim> start{};
  std::array<hsize_t, max_ndim> count{};
  for (int d = 0; d < box.ndim(); ++d) {
    start[static_cast<std::size_t>(d)] = static_cast<hsize_t>(box.offsets[d]);
    count[static_cast<std::size_t>(d)] = static_cast<hsize_t>(box.sizes[d]);
  }
  SHARDMARK_RETURN_IF_ERROR(
      hdf5_status(H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, start.data(), nullptr,
                                      count.data(), nullptr),
                  "H5Sselect_hyperslab", ""));
  return space;
}

}  // namespace

Result<VirtualSources> VirtualSources::make(const Dims& sizes, Dtype dtype, const H5Type& type) {
  VirtualSources sources;
  sources.sizes_ = sizes;
  SHARDMARK_ASSIGN_OR_RETURN(
      sources.creation_,
      hdf5_handle<H5Properties>(H5Pcreate(H5P_DATASET_CREATE), "H5Pcreate", "virtual"));
  std::array<std::byte, max_element_size> ones{};
  std::fill_n(ones.begin(), element_size(dtype), std::byte{0xFF});
  SHARDMARK_RETURN_IF_ERROR(
      hdf5_status(H5Pset_fill_value(sources.creation_.get(), type.get(), ones.data()),
                  "H5Pset_fill_value", ""));
  SHARDMARK_RETURN_IF_ERROR(hdf5_status(H5Pset_obj_track_times(sources.creation_.get(), 0),
                                        "H5Pset_obj_track_times", ""));
  return sources;
}

Status VirtualSources::add(const Box& box, std::string_view file, std::string_view dataset,
                           const H5Space& source) {
  SHARDMARK_ASSIGN_OR_RETURN(const H5Space here, selected(sizes_, box));
  const std::string file_name = escaped(file);
  const std::string dataset_name = escaped(dataset);
  // Names, and two selections of a head and a block each.
  heap_bytes_ +=
      static_cast<std::int64_t>(file_name.size() + dataset_name.size()) + 50 + 8 * (box.ndim() + 1);
  return hdf5_status(H5Pset_virtual(creation_.get(), here.get(), file_name.c_str(),
                                    dataset_name.c_str(), source.get()),
                     "H5Pset_virtual", dataset_name.c_str());
}

Status VirtualSources::add_whole(const Box& box, std::string_view file, std::string_view dataset) {
  SHARDMARK_ASSIGN_OR_RETURN(const H5Space source, dataspace_of(box.sizes));
  return add(box, file, dataset, source);
}

Status VirtualSources::add_slice(const Box& box, std::string_view dataset, std::int64_t first,
                                 std::int64_t extent) {
  SHARDMARK_ASSIGN_OR_RETURN(const H5Space source,
                             selected({extent}, {{first}, {box.num_elements()}}));
  return add(box, ".", dataset, source);
}

}  // namespace shardmark
