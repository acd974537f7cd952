// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "shardmark/checkpoint/save_options.hpp"
#include "shardmark/checkpoint/save_report.hpp"
#include "shardmark/core/result.hpp"
#include "shardmark/mpi/communicator.hpp"
#include "shardmark/protocol/state_dict.hpp"

namespace shardmark {

/// Collective. Plans, writes and commits one checkpoint of what `state_dict` refers to. It becomes
/// loadable at once and whole, or not at all.
///
/// With SaveOptions::played the ranks write what some ranks of a bigger world write, and no more:
/// no checkpoint, but a folder `played-NNNNNNNN` that the same ranks of the same world can load.
///
/// Errors, the same on all ranks: invalid_argument (plans that disagree, overlap or leave holes),
/// already_exists (the step is committed; nothing is written), not_found (no parent directory),
/// no_space (before any element is written), io_error. After an io_error inside HDF5 this process
/// refuses further HDF5 work (hdf5_unusable()), and must leave by _exit.
Result<SaveReport> save(const StateDict& state_dict, const SaveOptions& options,
                        const Communicator& comm);

}  // namespace shardmark
