// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/storage/posix/striping.hpp"

namespace shardmark {

/// Local. Of the bytes of Lustre's attribute: layouts v1, v3 and composite. Of mirrors the first
/// that is not stale counts. Errors: data_loss for bytes that are no such layout.
Result<Striping> parse_lustre_layout(std::span<const std::byte> bytes);

/// Local. What to set on a folder so that files made in it have stripes of `stripe_bytes` (0: as
/// the folder has them) over `stripe_count` objects (0: likewise; all_stripes), in the folder's own
/// pool of targets. `inherited`: what the folder has; may be empty. Errors: data_loss likewise.
Result<std::vector<std::byte>> make_lustre_layout(std::span<const std::byte> inherited,
                                                  std::int64_t stripe_bytes,
                                                  std::int64_t stripe_count);

}  // namespace shardmark
