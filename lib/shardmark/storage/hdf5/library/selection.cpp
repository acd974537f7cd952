// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/hdf5/library/selection.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "shardmark/storage/hdf5/library/hdf5_call.hpp"

namespace shardmark {
namespace {

using Extents = std::array<hsize_t, max_ndim>;

Extents extents_of(const Dims& dims) {
  Extents extents{};
  std::transform(dims.begin(), dims.end(), extents.begin(),
                 [](std::int64_t value) { return static_cast<hsize_t>(value); });
  return extents;
}

}  // namespace

Result<H5Space> file_selection(const H5Dataset& dataset, const std::optional<Box>& box) {
  SHARDMARK_ASSIGN_OR_RETURN(H5Space space,
                             hdf5_handle<H5Space>(H5Dget_space(dataset.get()), "H5Dget_space", ""));
  herr_t selected = 0;
  if (!box) {
    selected = H5Sselect_none(space.get());
  } else if (box->ndim() > 0) {
    selected = H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, extents_of(box->offsets).data(),
                                   nullptr, extents_of(box->sizes).data(), nullptr);
  }
  SHARDMARK_RETURN_IF_ERROR(hdf5_status(selected, "H5Sselect_hyperslab", ""));
  return space;
}

std::optional<H5Space> memory_selection(const Dims& sizes, const Dims& strides) {
  // Dimensions of one element have no stride that matters.
  Dims kept_sizes;
  Dims kept_strides;
  {
    std::array<std::int64_t, max_ndim> s{};
    std::array<std::int64_t, max_ndim> t{};
    std::size_t n = 0;
    for (int d = 0; d < sizes.ndim(); ++d) {
      if (sizes[d] != 1) {
        s[n] = sizes[d];
        t[n++] = strides[d];
      }
    }
    kept_sizes = *Dims::from({s.data(), n});
    kept_strides = *Dims::from({t.data(), n});
  }
  const int ndim = kept_sizes.ndim();
  if (ndim == 0) {
    H5Space scalar(H5Screate(H5S_SCALAR));
    return scalar ? std::optional(std::move(scalar)) : std::nullopt;
  }
  if (kept_strides[ndim - 1] != 1) {
    return std::nullopt;
  }
  // The array in which the view is a corner: dimension d is as long as d - 1's stride in units of
  // d's.
  Dims enclosing = kept_sizes;
  for (int d = 1; d < ndim; ++d) {
    if (kept_strides[d] <= 0 || kept_strides[d - 1] % kept_strides[d] != 0) {
      return std::nullopt;
    }
    enclosing[d] = kept_strides[d - 1] / kept_strides[d];
    if (enclosing[d] < kept_sizes[d]) {
      return std::nullopt;
    }
  }
  H5Space space(H5Screate_simple(ndim, extents_of(enclosing).data(), nullptr));
  const Dims origin = Dims::filled(ndim, 0);
  if (!space || (enclosing != kept_sizes &&
                 H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, extents_of(origin).data(),
                                     nullptr, extents_of(kept_sizes).data(), nullptr) < 0)) {
    return std::nullopt;
  }
  return space;
}

Result<H5Space> empty_memory_selection() {
  const hsize_t one = 1;
  SHARDMARK_ASSIGN_OR_RETURN(H5Space space, hdf5_handle<H5Space>(H5Screate_simple(1, &one, nullptr),
                                                                 "H5Screate_simple", ""));
  SHARDMARK_RETURN_IF_ERROR(hdf5_status(H5Sselect_none(space.get()), "H5Sselect_none", ""));
  return space;
}

}  // namespace shardmark
