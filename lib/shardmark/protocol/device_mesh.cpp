// SPDX-License-Identifier: Apache-2.0
#include "shardmark/protocol/device_mesh.hpp"

#include <fmt/format.h>

#include <array>
#include <numeric>
#include <vector>

namespace shardmark {
namespace {

constexpr std::int64_t max_ranks = std::int64_t{1} << 31;

Status check_shape(const Dims& shape) {
  for (const std::int64_t extent : shape) {
    if (extent < 1) {
      return Error{ErrorCode::invalid_argument,
                   fmt::format("mesh {}: every extent must be at least 1", to_string(shape))};
    }
  }
  const auto ranks = checked_volume(shape);
  if (!ranks || *ranks > max_ranks) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("mesh {} has more than 2^31 ranks", to_string(shape))};
  }
  return {};
}

}  // namespace

Result<DeviceMesh> DeviceMesh::row_major(const Dims& shape) {
  return strided(shape, row_major_strides(shape), 0);
}

Result<DeviceMesh> DeviceMesh::strided(const Dims& shape, const Dims& strides,
                                       std::int64_t first_rank) {
  SHARDMARK_RETURN_IF_ERROR(check_shape(shape));
  if (strides.ndim() != shape.ndim() || first_rank < 0) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("mesh {}: strides {} and first rank {} do not fit it",
                             to_string(shape), to_string(strides), first_rank)};
  }
  // Nested strides: each one must step over all that the smaller ones reach, else two coordinates
  // meet.
  std::vector<int> order(shape.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int a, int b) { return strides[a] < strides[b]; });
  std::int64_t reach = 0;  // below 2^31 here, and first_rank with it
  for (int i = 0; i < shape.ndim(); ++i) {
    const int d = order[static_cast<std::size_t>(i)];
    if (shape[d] == 1) {
      continue;
    }
    if (strides[d] <= reach) {
      return Error{ErrorCode::invalid_argument,
                   fmt::format("mesh {} with strides {} names one rank twice", to_string(shape),
                               to_string(strides))};
    }
    if (strides[d] > (max_ranks - 1 - reach) / (shape[d] - 1)) {
      return Error{ErrorCode::invalid_argument,
                   fmt::format("mesh {} with strides {} has a rank beyond 2^31", to_string(shape),
                               to_string(strides))};
    }
    reach += (shape[d] - 1) * strides[d];
  }
  if (first_rank > max_ranks - 1 - reach) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("mesh {} with strides {} and first rank {} has a rank beyond 2^31",
                             to_string(shape), to_string(strides), first_rank)};
  }
  DeviceMesh mesh;
  mesh.shape_ = shape;
  mesh.strides_ = strides;
  mesh.first_rank_ = first_rank;
  return mesh;
}

std::optional<Dims> DeviceMesh::coordinate(std::int64_t rank) const noexcept {
  std::int64_t rest = rank - first_rank_;
  if (rest < 0) {
    return std::nullopt;
  }
  // Strides are nested, so peeling them off from the largest down gives the only candidate.
  Dims at = Dims::filled(ndim(), 0);
  std::array<bool, max_ndim> done{};
  for (int round = 0; round < ndim(); ++round) {
    int largest = -1;
    for (int d = 0; d < ndim(); ++d) {
      if (!done[static_cast<std::size_t>(d)] && shape_[d] > 1 &&
          (largest < 0 || strides_[d] > strides_[largest])) {
        largest = d;
      }
    }
    if (largest < 0) {
      break;
    }
    done[static_cast<std::size_t>(largest)] = true;
    at[largest] = rest / strides_[largest];
    rest %= strides_[largest];
    if (at[largest] >= shape_[largest]) {
      return std::nullopt;
    }
  }
  if (rest != 0) {
    return std::nullopt;
  }
  return at;
}

std::int64_t DeviceMesh::rank_at(const Dims& coordinate) const noexcept {
  std::int64_t rank = first_rank_;
  for (int d = 0; d < ndim(); ++d) {
    rank += coordinate[d] * strides_[d];
  }
  return rank;
}

}  // namespace shardmark
