// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <string_view>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/core/tensor_view.hpp"
#include "shardmark/protocol/metadata.hpp"
#include "shardmark/protocol/tensor_layout.hpp"
#include "shardmark/protocol/write_item.hpp"

namespace shardmark {

/// What a type offers so that it can be saved and loaded: DCP's `_Checkpointable`, implicit like
/// the Python protocol. Planners and storage know a tensor only through these hooks. A hook that
/// cannot fail may return its list plain instead of in a Result.
///
/// All hooks are local: none communicates, so any subset of ranks may call them.
/// The two lists name the same boxes in the same order; empty boxes may be listed.
template <typename T>
concept Checkpointable = requires(const T& saved, T& loaded, std::string_view fqn,
                                  const MetadataIndex& index) {
  // What to write: one item per local box, replicas included. `fqn` is viewed, never copied.
  { saved.create_write_items(fqn) } -> std::convertible_to<Result<std::vector<WriteItem>>>;
  // Where each local box lies in the global tensor: offsets and sizes, in elements.
  { saved.create_chunk_list() } -> std::convertible_to<Result<std::vector<ChunkStorageMetadata>>>;
  // The elements of the local box at `index.offset`, not a copy: read to save, written to load.
  // `index.index` is only a hint. Errors: not_found for an offset at which no local box starts,
  // invalid_argument for a missing offset where there are several boxes.
  { saved.get_tensor_shard(index) } -> std::convertible_to<Result<ConstTensorView>>;
  { loaded.get_tensor_shard(index) } -> std::convertible_to<Result<TensorView>>;
};

/// The optional fourth hook: the whole layout is known on every rank.
template <typename T>
concept HasLayout = Checkpointable<T> && requires(const T& tensor) {
  { tensor.layout() } -> std::convertible_to<const TensorLayout&>;
};

}  // namespace shardmark
