// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <charconv>

#include "shardmark/workload/model_families.hpp"

namespace shardmark {

Result<Model> make_matrix(std::string_view sizes) {
  Model model;
  std::string_view rest = sizes;
  while (true) {
    const std::string_view part = rest.substr(0, rest.find(','));
    std::vector<std::int64_t> extents;
    bool good = true;
    for (std::string_view digits = part; good;) {
      const std::string_view extent = digits.substr(0, digits.find('x'));
      std::int64_t value = 0;
      const auto [end, error] =
          std::from_chars(extent.data(), extent.data() + extent.size(), value);
      good = error == std::errc() && end == extent.data() + extent.size() && value >= 1;
      extents.push_back(value);
      if (extent.size() == digits.size()) {
        break;
      }
      digits.remove_prefix(extent.size() + 1);
    }
    if (!good || extents.size() > 2) {
      return Error{ErrorCode::invalid_argument,
                   fmt::format("model.matrix_sizes '{}': found '{}', expected rows x columns, or "
                               "one extent for a vector, as in \"8192x8192,8192\"",
                               sizes, part)};
    }
    TensorSpec tensor;
    const bool vector = extents.size() == 1;
    tensor.fqn = fmt::format("{}.{}", vector ? "vector" : "matrix", model.tensors.size());
    tensor.dtype = Dtype::float64;
    SHARDMARK_ASSIGN_OR_RETURN(tensor.shape, Dims::from(extents));
    SHARDMARK_RETURN_IF_ERROR(Status(checked_volume(tensor.shape)));
    tensor.tp_cut = TpCut::dim_0;
    model.tensors.push_back(std::move(tensor));
    if (part.size() == rest.size()) {
      return model;
    }
    rest.remove_prefix(part.size() + 1);
  }
}

}  // namespace shardmark
