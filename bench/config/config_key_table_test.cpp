// SPDX-License-Identifier: Apache-2.0
#include "bench/config/config_key_table.hpp"
#include "bench/config/key_expectation.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <variant>

namespace shardmark::bench {
namespace {

TEST(ConfigKeyTable, EveryKeyIsOnceAndSetsAMemberOfItsOwn) {
  Config config;
  std::set<std::string_view> names;
  std::set<const void*> members;
  for (const ConfigKey& key : config_key_table()) {
    SCOPED_TRACE(std::string(key.name));
    EXPECT_TRUE(names.insert(key.name).second);
    EXPECT_FALSE(key.about.empty());
    const void* const member = std::visit(
        [](auto* target) { return static_cast<const void*>(target); }, key.target(config));
    EXPECT_TRUE(members.insert(member).second) << "two keys set one member";
    EXPECT_EQ(find_config_key(key.name), &key);
    EXPECT_FALSE(expectation(key).empty());
  }
  EXPECT_EQ(find_config_key("run.rank"), nullptr);
}

TEST(ConfigKeyTable, DefaultsAreAmongTheChoices) {
  Config config;
  for (const ConfigKey& key : config_key_table()) {
    const KeyTarget target = key.target(config);
    const auto is_choice = [&](const std::string& name) {
      return std::ranges::find(key.choices, name) != key.choices.end();
    };
    if (key.form == KeyForm::choice) {
      EXPECT_TRUE(is_choice(*std::get<std::string*>(target))) << key.name;
    }
    if (key.form == KeyForm::choice_list) {
      EXPECT_TRUE(std::ranges::all_of(*std::get<std::vector<std::string>*>(target), is_choice));
    }
  }
}

}  // namespace
}  // namespace shardmark::bench
