// SPDX-License-Identifier: Apache-2.0
#include "shardmark/protocol/state_dict.hpp"

#include <fmt/format.h>

namespace shardmark {
namespace {

/// Number of bytes of the UTF-8 character at the front, or 0 if there is none.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) {
    return 1;
  }
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) {
    return 0;
  }
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) {
      return 0;
    }
  }
  // Overlong forms, surrogates, and code points past U+10FFFF.
  if ((lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xED && byte(1) > 0x9F) ||
      (lead == 0xF0 && byte(1) < 0x90) || (lead == 0xF4 && byte(1) > 0x8F)) {
    return 0;
  }
  return length;
}

}  // namespace

Result<TensorView> CheckpointableRef::get_mutable_tensor_shard(const MetadataIndex& index) const {
  if (mutable_tensor_ == nullptr) {
    return Error{
        ErrorCode::invalid_argument,
        fmt::format("tensor '{}' was added as const and cannot be loaded into", index.fqn)};
  }
  return hooks_->get_mutable_tensor_shard(mutable_tensor_, index);
}

Status check_fqn(std::string_view fqn) {
  if (fqn.size() > max_fqn_bytes) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("fqn '{}...' has {} bytes, at most {} are supported",
                             fqn.substr(0, 60), fqn.size(), max_fqn_bytes)};
  }
  for (std::size_t i = 0; i < fqn.size();) {
    const std::size_t length = utf8_length(fqn.substr(i));
    if (length == 0) {
      return Error{ErrorCode::invalid_argument,
                   fmt::format("fqn is not valid UTF-8: byte {} of {}", i, fqn.size())};
    }
    i += length;
  }
  return {};
}

Status StateDict::insert(std::string fqn, const CheckpointableRef& tensor) {
  SHARDMARK_ASSIGN_OR_RETURN(StateDictEntry * entry, insert_name(std::move(fqn)));
  tensors_.push_back(tensor);
  entry->tensor = &tensors_.back();
  announces_changes_ = announces_changes_ && tensor.announces_changes();
  return {};
}

Status StateDict::add_object(std::string fqn, std::span<std::byte> bytes) {
  SHARDMARK_ASSIGN_OR_RETURN(StateDictEntry * entry, insert_name(std::move(fqn)));
  entry->object = bytes;
  entry->mutable_object = bytes;
  return {};
}

Status StateDict::add_object(std::string fqn, std::span<const std::byte> bytes) {
  SHARDMARK_ASSIGN_OR_RETURN(StateDictEntry * entry, insert_name(std::move(fqn)));
  entry->object = bytes;
  return {};
}

const StateDictEntry* StateDict::find(std::string_view fqn) const {
  const auto found = index_.find(fqn);
  return found == index_.end() ? nullptr : &entries_[found->second];
}

Result<StateDictEntry*> StateDict::insert_name(std::string fqn) {
  SHARDMARK_RETURN_IF_ERROR(check_fqn(fqn));
  if (index_.contains(fqn)) {
    return Error{ErrorCode::already_exists,
                 fmt::format("state dict has two entries named '{}'", fqn)};
  }
  StateDictEntry entry;
  entry.fqn = std::move(fqn);
  entries_.push_back(std::move(entry));
  index_.emplace(entries_.back().fqn, entries_.size() - 1);
  ContentMark::announce();
  return &entries_.back();
}

}  // namespace shardmark
