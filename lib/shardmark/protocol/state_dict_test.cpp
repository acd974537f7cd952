// SPDX-License-Identifier: Apache-2.0
#include "shardmark/protocol/state_dict.hpp"

#include <gtest/gtest.h>

#include <array>

namespace shardmark {
namespace {

/// A user's type: the three hooks, no base class, plain lists instead of Results.
struct UserTensor {
  std::array<std::byte, 4> elements{};

  std::vector<WriteItem> create_write_items(std::string_view fqn) const {
    return {make_write_item(fqn, WriteItemType::tensor, whole_box({4}), Dtype::uint8, {4}, 0)};
  }
  std::vector<ChunkStorageMetadata> create_chunk_list() const { return {whole_box({4})}; }
  ConstTensorView get_tensor_shard(const MetadataIndex&) const {
    return contiguous_view(elements.data(), Dtype::uint8, {4});
  }
  TensorView get_tensor_shard(const MetadataIndex&) {
    return contiguous_view(elements.data(), Dtype::uint8, {4});
  }
};

static_assert(Checkpointable<UserTensor> && !HasLayout<UserTensor>);

TEST(StateDict, KeepsOrderAndStableNames) {
  std::array<UserTensor, 100> tensors;
  StateDict dict;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    ASSERT_TRUE(dict.add("t" + std::to_string(i), tensors[i]));
  }
  const std::string_view first = dict.entries().front().fqn;
  const StateDictEntry* entry = dict.find("t42");
  const StateDict moved = std::move(dict);
  EXPECT_EQ(first, "t0");
  EXPECT_EQ(first.data(), moved.entries().front().fqn.data());
  EXPECT_EQ(moved.find("t42"), entry);
  EXPECT_EQ(moved.find("t100"), nullptr);
  EXPECT_EQ(moved.size(), 100U);
  const auto shard = entry->tensor->get_tensor_shard({"t42", Dims{0}, {}});
  ASSERT_TRUE(shard);
  EXPECT_EQ(shard->data, tensors[42].elements.data()) << "a view, not a copy";
  const auto items = entry->tensor->create_write_items(entry->fqn);
  ASSERT_TRUE(items);
  EXPECT_EQ(items->front().index.fqn.data(), entry->fqn.data()) << "names are viewed";
}

TEST(StateDict, ConstIsForSavingOnly) {
  UserTensor tensor;
  const UserTensor& frozen = tensor;
  std::array<std::byte, 8> step{};
  const std::span<const std::byte> fixed = step;
  StateDict dict;
  ASSERT_TRUE(dict.add("open", tensor));
  ASSERT_TRUE(dict.add("frozen", frozen));
  ASSERT_TRUE(dict.add_object("step", std::span<std::byte>(step)));
  ASSERT_TRUE(dict.add_object("fixed", fixed));
  EXPECT_TRUE(dict.find("open")->tensor->get_mutable_tensor_shard({"open", Dims{0}, {}}));
  const auto refused = dict.find("frozen")->tensor->get_mutable_tensor_shard({"frozen", {}, {}});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("'frozen'"), std::string::npos);
  EXPECT_EQ(dict.find("step")->mutable_object.size(), 8U);
  EXPECT_EQ(dict.find("fixed")->object.size(), 8U);
  EXPECT_TRUE(dict.find("fixed")->mutable_object.empty());
  EXPECT_EQ(dict.find("step")->tensor, nullptr);
}

TEST(StateDict, RefusesNames) {
  UserTensor tensor;
  std::array<std::byte, 1> bytes{};
  StateDict dict;
  ASSERT_TRUE(dict.add("", tensor)) << "the empty fqn is a name";
  ASSERT_TRUE(dict.add("a", tensor));
  EXPECT_EQ(dict.add("a", tensor).error().code, ErrorCode::already_exists);
  EXPECT_EQ(dict.add_object("a", std::span<std::byte>(bytes)).error().code,
            ErrorCode::already_exists);
  EXPECT_TRUE(check_fqn(std::string(max_fqn_bytes, 'x')));
  EXPECT_FALSE(check_fqn(std::string(max_fqn_bytes + 1, 'x')));
  for (const char* good : {"\xC3\xA9", "\xE9\x87\x8D", "\xF0\x9F\x98\x80", "\x01%/", "\x7F"}) {
    EXPECT_TRUE(check_fqn(good)) << good;
  }
  for (const char* bad : {"\x80", "\xC3", "\xC0\xAF", "\xE0\x80\xAF", "\xED\xA0\x80",
                          "\xF4\x90\x80\x80", "\xF8\x88\x80\x80\x80", "\xE9\x87", "a\xFFz"}) {
    EXPECT_EQ(check_fqn(bad).error().code, ErrorCode::invalid_argument) << bad;
  }
  EXPECT_EQ(dict.size(), 2U);
}

}  // namespace
}  // namespace shardmark
