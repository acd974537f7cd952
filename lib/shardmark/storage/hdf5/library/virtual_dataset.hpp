// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "shardmark/core/box.hpp"
#include "shardmark/core/dtype.hpp"
#include "shardmark/core/result.hpp"
#include "shardmark/storage/hdf5/library/handle.hpp"

namespace shardmark {

/// The creation properties of a virtual dataset under construction. Missing sources read as all
/// ones: NaN in every float type, -1 in every signed integer.
class VirtualSources {
 public:
  /// Local. A dataset of `sizes`; `type` is its type.
  static Result<VirtualSources> make(const Dims& sizes, Dtype dtype, const H5Type& type);

  /// Local. `box` is all of dataset `dataset` of `file`, a bare name next to this one's.
  Status add_whole(const Box& box, std::string_view file, std::string_view dataset);
  /// Local. `box` is the elements from `first` on of the 1-D dataset of `extent` elements in this
  /// file.
  Status add_slice(const Box& box, std::string_view dataset, std::int64_t first,
                   std::int64_t extent);

  const H5Properties& creation() const noexcept { return creation_; }
  /// What HDF5 keeps of the sources, about.
  std::int64_t heap_bytes() const noexcept { return heap_bytes_; }

 private:
  Status add(const Box& box, std::string_view file, std::string_view dataset,
             const H5Space& source);

  Dims sizes_;
  H5Properties creation_;
  std::int64_t heap_bytes_ = 0;
};

}  // namespace shardmark
