// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

#include "shardmark/core/dtype.hpp"

namespace shardmark {

/// How elements of a dtype of the safetensors format are held here.
struct PublishedDtype {
  std::string_view name;  // the format's
  Dtype held_as = Dtype::uint8;
  int bits = 8;           // of one element
  bool has_name = false;  // `held_as` is that very type; else unsigned integers of its width

  /// Less than a byte an element: the last dimension is counted in bytes.
  constexpr bool is_packed() const noexcept { return bits < 8; }
};

/// Local. nullopt for a name that the format does not have.
std::optional<PublishedDtype> published_dtype(std::string_view name) noexcept;

}  // namespace shardmark
