// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "shardmark/checkpoint/load.hpp"
#include "shardmark/core/result.hpp"
#include "shardmark/mpi/communicator.hpp"
#include "shardmark/protocol/state_dict.hpp"
#include "shardmark/storage/posix/page_residency.hpp"

namespace shardmark::bench {

/// Local. Whether load.from names safetensors: a file, an index, or a folder that has some and no
/// step.
bool is_safetensors(const std::string& from);

/// Local. Where the tensors of such files lie. Errors: those of read_safetensors_model();
/// invalid_argument for files that do not lie in one folder.
Result<std::shared_ptr<const ForeignFiles>> open_safetensors(const std::string& from);

/// Local. Errors: not_found naming a tensor that is wanted and not there. Objects are not asked
/// for: such files have none.
Status check_has_tensors(const StateDict& wanted, const ForeignFiles& source);

/// Local. There is no law of values for such files: what was loaded is compared, tensor by tensor,
/// with the same bytes read once more, row by row and by no code of the load. Errors: data_loss
/// naming the tensor; io_error.
Status compare_with_files(const StateDict& loaded, const ForeignFiles& source);

}  // namespace shardmark::bench
