// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "shardmark/core/result.hpp"
#include "shardmark/storage/posix/striping.hpp"

namespace shardmark {

/// Local. Of a file; of a folder, what files made in it get, as far as it says. Empty where the
/// file system has no stripes. GPFS tells its block and no objects. Errors: data_loss.
Result<Striping> striping_of(const std::string& path);

/// Local. `f_type` of statfs and st_blksize: of a file system that tells no more than its block.
Striping striping_of_blocks(std::uint64_t file_system, std::int64_t block_bytes);

/// Local. Success if stripes can be set for new files of the folder, or none are asked for (both
/// 0). Errors: invalid_argument, which names the key.
Status check_can_set_stripes(const std::string& folder, std::int64_t stripe_bytes,
                             std::int64_t stripe_count);

/// Local. Has every file that will be made in the folder get such stripes, see
/// make_lustre_layout(). Errors: as check_can_set_stripes(); io_error.
Status set_stripes(const std::string& folder, std::int64_t stripe_bytes, std::int64_t stripe_count);

}  // namespace shardmark
