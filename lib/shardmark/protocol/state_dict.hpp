// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/protocol/checkpointable.hpp"
#include "shardmark/protocol/content_mark.hpp"

namespace shardmark {

/// Any Checkpointable behind one set of function pointers. A reference: the tensor must outlive it.
class CheckpointableRef {
 public:
  template <Checkpointable T>
  explicit CheckpointableRef(T& tensor) : CheckpointableRef(&tensor, nullptr) {
    mutable_tensor_ = &tensor;
  }
  template <Checkpointable T>
  explicit CheckpointableRef(const T& tensor) : CheckpointableRef(&tensor, nullptr) {}

  Result<std::vector<WriteItem>> create_write_items(std::string_view fqn) const {
    return hooks_->create_write_items(tensor_, fqn);
  }
  Result<std::vector<ChunkStorageMetadata>> create_chunk_list() const {
    return hooks_->create_chunk_list(tensor_);
  }
  Result<ConstTensorView> get_tensor_shard(const MetadataIndex& index) const {
    return hooks_->get_tensor_shard(tensor_, index);
  }
  /// To load into. Errors: invalid_argument if the tensor was added as const.
  Result<TensorView> get_mutable_tensor_shard(const MetadataIndex& index) const;

  /// Null for types that do not know their whole layout.
  const TensorLayout* layout() const { return hooks_->layout(tensor_); }

  bool announces_changes() const noexcept { return hooks_->announces_changes; }

 private:
  struct Hooks {
    Result<std::vector<WriteItem>> (*create_write_items)(const void*, std::string_view);
    Result<std::vector<ChunkStorageMetadata>> (*create_chunk_list)(const void*);
    Result<ConstTensorView> (*get_tensor_shard)(const void*, const MetadataIndex&);
    Result<TensorView> (*get_mutable_tensor_shard)(void*, const MetadataIndex&);
    const TensorLayout* (*layout)(const void*);
    bool announces_changes;
  };

  template <typename T>
  static const Hooks* hooks_of() {
    static constexpr Hooks hooks = {
        [](const void* t, std::string_view fqn) -> Result<std::vector<WriteItem>> {
          return static_cast<const T*>(t)->create_write_items(fqn);
        },
        [](const void* t) -> Result<std::vector<ChunkStorageMetadata>> {
          return static_cast<const T*>(t)->create_chunk_list();
        },
        [](const void* t, const MetadataIndex& index) -> Result<ConstTensorView> {
          return static_cast<const T*>(t)->get_tensor_shard(index);
        },
        [](void* t, const MetadataIndex& index) -> Result<TensorView> {
          return static_cast<T*>(t)->get_tensor_shard(index);
        },
        [](const void* t) -> const TensorLayout* {
          if constexpr (HasLayout<T>) {
            return &static_cast<const T*>(t)->layout();
          } else {
            static_cast<void>(t);
            return nullptr;
          }
        },
        AnnouncesChanges<T>};
    return &hooks;
  }

  template <typename T>
  CheckpointableRef(const T* tensor, std::nullptr_t)
      : tensor_(tensor), hooks_(hooks_of<std::remove_const_t<T>>()) {}

  const void* tensor_;
  void* mutable_tensor_ = nullptr;
  const Hooks* hooks_;
};

/// One entry: a tensor, or opaque bytes.
struct StateDictEntry {
  std::string fqn;
  const CheckpointableRef* tensor = nullptr;  // null for an object
  std::span<const std::byte> object;
  std::span<std::byte> mutable_object;  // empty if added as const
};

/// fqn -> tensor or opaque bytes, in insertion order. Owns the names, neither tensors nor elements:
/// they must outlive it. References to entries and views of their names stay valid for its life.
class StateDict {
 public:
  StateDict() = default;
  StateDict(const StateDict&) = delete;
  StateDict& operator=(const StateDict&) = delete;
  StateDict(StateDict&&) = default;
  StateDict& operator=(StateDict&&) = default;

  /// Local. Errors: invalid_argument if the name is not UTF-8 or too long, already_exists if it is
  /// there.
  template <typename T>
  Status add(std::string fqn, T& tensor) {
    static_assert(
        Checkpointable<std::remove_const_t<T>>,
        "a StateDict takes only Checkpointable tensors: T must have create_write_items(fqn), "
        "create_chunk_list() and get_tensor_shard(index), see protocol/checkpointable.hpp; "
        "opaque bytes go in by add_object");
    return insert(std::move(fqn), CheckpointableRef(tensor));
  }
  /// A temporary would be gone before the save.
  template <typename T>
  Status add(std::string fqn, const T&& tensor) = delete;

  /// Local. Opaque bytes: step number, random state, data-loader state. Errors as add().
  Status add_object(std::string fqn, std::span<std::byte> bytes);
  Status add_object(std::string fqn, std::span<const std::byte> bytes);

  const std::deque<StateDictEntry>& entries() const noexcept { return entries_; }
  std::size_t size() const noexcept { return entries_.size(); }
  /// Null if there is no such entry.
  const StateDictEntry* find(std::string_view fqn) const;

  /// Local. True if it cannot change, nor what its tensors' hooks say, without a new
  /// ContentMark::epoch().
  bool announces_changes() const noexcept { return announces_changes_; }

 private:
  Status insert(std::string fqn, const CheckpointableRef& tensor);
  Result<StateDictEntry*> insert_name(std::string fqn);

  std::deque<StateDictEntry> entries_;  // stable addresses, so that names can be viewed
  std::deque<CheckpointableRef> tensors_;
  std::unordered_map<std::string_view, std::size_t> index_;
  bool announces_changes_ = true;  // all tensors do
  [[no_unique_address]] ContentMark mark_;
};

/// Longest fqn, in bytes: HDF5 keeps a link's name in one object header message of 64 KiB.
inline constexpr std::size_t max_fqn_bytes = 60'000;

/// Local. Errors: invalid_argument if `fqn` is not valid UTF-8 or longer than max_fqn_bytes.
Status check_fqn(std::string_view fqn);

}  // namespace shardmark
