// SPDX-License-Identifier: Apache-2.0
// Builds as it is; each case must be refused with the words after its EXPECT.
// EXPECT NOT_A_TENSOR: a StateDict takes only Checkpointable tensors
// EXPECT HOOK_MISSING: a StateDict takes only Checkpointable tensors
// EXPECT SHARD_IS_A_COPY: a StateDict takes only Checkpointable tensors
// EXPECT CONCEPT: static assertion failed: no get_tensor_shard
// EXPECT TEMPORARY: deleted function
#include <string>

#include "shardmark/protocol/state_dict.hpp"

namespace shardmark {

struct Good {
  std::vector<WriteItem> create_write_items(std::string_view) const { return {}; }
  std::vector<ChunkStorageMetadata> create_chunk_list() const { return {}; }
  ConstTensorView get_tensor_shard(const MetadataIndex&) const { return {}; }
  TensorView get_tensor_shard(const MetadataIndex&) { return {}; }
};

struct HookMissing {
  std::vector<WriteItem> create_write_items(std::string_view) const { return {}; }
  std::vector<ChunkStorageMetadata> create_chunk_list() const { return {}; }
};

struct ShardIsACopy : HookMissing {
  std::vector<std::byte> get_tensor_shard(const MetadataIndex&) const { return {}; }
};

Status use(StateDict& dict) {
  Good good;
#ifdef NOT_A_TENSOR
  std::string text;
  return dict.add("x", text);
#elif defined(HOOK_MISSING)
  HookMissing tensor;
  return dict.add("x", tensor);
#elif defined(SHARD_IS_A_COPY)
  ShardIsACopy tensor;
  return dict.add("x", tensor);
#elif defined(CONCEPT)
  static_assert(Checkpointable<HookMissing>, "no get_tensor_shard");
#elif defined(TEMPORARY)
  return dict.add("x", Good());
#endif
  return dict.add("x", good);
}

}  // namespace shardmark
