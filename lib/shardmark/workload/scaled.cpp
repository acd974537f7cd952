// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "shardmark/workload/catalog.hpp"

namespace shardmark {
namespace {

constexpr double tolerance = 0.1;
constexpr std::int64_t small_extent = 8;  // kernel sizes, channels of a table: structure, not size

std::int64_t image(std::int64_t extent, double factor, const Model& model) {
  if (extent <= small_extent || std::find(model.kept_extents.begin(), model.kept_extents.end(),
                                          extent) != model.kept_extents.end()) {
    return extent;
  }
  // From 256 up a step of 8 is under 2 % of the extent, and tensor parallelism still divides it.
  const double exact = static_cast<double>(extent) * factor;
  const std::int64_t step = extent % 8 == 0 && exact >= 256 ? 8 : 1;
  return std::max<std::int64_t>(1, std::llround(exact / static_cast<double>(step)) * step);
}

Model shrunk(const Model& model, double factor) {
  Model smaller = model;
  for (TensorSpec& tensor : smaller.tensors) {
    for (std::int64_t& extent : tensor.shape) {
      extent = image(extent, factor, model);
    }
  }
  return smaller;
}

/// Big models have thousands of tensors and a dozen shapes: sums run over shapes.
class ByteCount {
 public:
  explicit ByteCount(const Model& model) : model_(model) {
    const auto of_state = static_cast<double>(element_size(Dtype::float32));
    const double optimizer = of_state * static_cast<double>(num_states(model.optimizer));
    for (const TensorSpec& tensor : model.tensors) {
      bytes_per_element_[tensor.shape] += static_cast<double>(element_size(tensor.dtype)) +
                                          (is_floating(tensor.dtype) ? optimizer : 0);
    }
  }

  double at(double factor) const {
    double bytes = 0;
    for (const auto& [shape, bytes_per_element] : bytes_per_element_) {
      double product = bytes_per_element;
      for (const std::int64_t extent : shape) {
        product *= static_cast<double>(image(extent, factor, model_));
      }
      bytes += product;
    }
    return bytes;
  }

 private:
  const Model& model_;
  std::map<Dims, double> bytes_per_element_;  // of all tensors of one shape together
};

}  // namespace

Result<Model> scaled(const Model& model, double share) {
  if (!(share > 0 && share <= 1)) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("model.scale = {}: expected a share in (0, 1]", share)};
  }
  const auto whole = static_cast<double>(num_bytes_with_optimizer(model));
  const ByteCount bytes(model);
  const double wanted = share * whole;
  // Bytes grow with the factor in steps: bisect to the step that passes `wanted`, take its nearer
  // side.
  double low = 0;
  double high = 1;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (bytes.at(middle) < wanted ? low : high) = middle;
  }
  const auto distance = [&](double factor) { return std::abs(bytes.at(factor) - wanted); };
  const double factor = distance(low) < distance(high) ? low : high;
  if (distance(factor) > tolerance * wanted) {
    return Error{
        ErrorCode::invalid_argument,
        fmt::format("model.scale = {}: '{}' cannot shrink to that share of its {:.0f} bytes "
                    "within 10 % keeping its structure; the nearest possible share is {:.3g}",
                    share, model.name, whole, bytes.at(factor) / whole)};
  }
  return shrunk(model, factor);
}

}  // namespace shardmark
