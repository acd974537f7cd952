// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "shardmark/core/result.hpp"
#include "shardmark/core/tensor_view.hpp"
#include "shardmark/storage/hdf5/library/handle.hpp"

namespace shardmark {

/// Local. A dataset's dataspace with one box of it selected; nothing selected without a box.
Result<H5Space> file_selection(const H5Dataset& dataset, const std::optional<Box>& box);

/// Local. The dataspace and selection under which HDF5 sees strided memory as it lies, starting at
/// the view's first element: possible when each stride is a multiple of the next and the last is 1.
/// Nothing otherwise (transposed views): such elements must be staged.
std::optional<H5Space> memory_selection(const Dims& sizes, const Dims& strides);

/// Local. A memory dataspace with nothing selected, for ranks that only take part.
Result<H5Space> empty_memory_selection();

}  // namespace shardmark
