// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "shardmark/core/dims.hpp"

namespace shardmark {

/// The runs of consecutive elements of a strided box, one after another in the box's row-major
/// order: what for_each_contiguous_run() gives, for those who must stop between two.
class StridedRuns {
 public:
  /// Strides in elements. A box without elements has no runs.
  StridedRuns(const Dims& sizes, const Dims& strides) : sizes_(sizes), strides_(strides) {
    inner_ = sizes.ndim();
    while (inner_ > 0 && (strides[inner_ - 1] == count_ || sizes[inner_ - 1] == 1)) {
      --inner_;
      count_ *= sizes[inner_];
    }
    at_ = Dims::filled(inner_, 0);
    done_ = volume(sizes) == 0;
  }

  bool done() const noexcept { return done_; }
  /// Of the current run: its first element, counted from the box's first, and its length.
  std::int64_t offset() const noexcept { return offset_; }
  std::int64_t count() const noexcept { return count_; }

  void next() noexcept {
    int d = inner_ - 1;
    while (d >= 0 && at_[d] + 1 == sizes_[d]) {
      offset_ -= at_[d] * strides_[d];
      at_[d--] = 0;
    }
    if (d < 0) {
      done_ = true;
      return;
    }
    ++at_[d];
    offset_ += strides_[d];
  }

 private:
  Dims sizes_;
  Dims strides_;
  Dims at_;
  int inner_ = 0;  // dimensions from here on form one run
  std::int64_t count_ = 1;
  std::int64_t offset_ = 0;
  bool done_ = false;
};

}  // namespace shardmark
