// SPDX-License-Identifier: Apache-2.0
// The one list of phases, against the lists that results/schema.json and the documents have.
#include "shardmark/profile/phase.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <string>

namespace shardmark {
namespace {

template <std::size_t n>
std::string names_of(const std::array<Phase, n>& phases) {
  std::string names;
  for (const Phase phase : phases) {
    names += (names.empty() ? "" : " ") + std::string(phase_name(phase));
  }
  return names;
}

TEST(Phase, ListsAreThoseOfTheSchema) {
  EXPECT_EQ(names_of(save_phases),
            "hooks local_plan gather global_plan scatter create stage exchange write flush commit "
            "wait");
  EXPECT_EQ(names_of(load_phases), "open metadata hooks load_plan read exchange verify wait");
  EXPECT_EQ(names_of(save_plan_phases), "hooks local_plan gather global_plan scatter wait");
  EXPECT_EQ(names_of(phases_where<&PhaseTraits::of_all_ranks>()),
            "hooks local_plan stage load_plan read verify write flush");
}

TEST(Phase, TheTableIsInTheOrderOfTheNumbers) {
  for (std::size_t number = 0; number < num_phases; ++number) {
    EXPECT_EQ(static_cast<std::size_t>(phase_table[number].phase), number);
  }
}

}  // namespace
}  // namespace shardmark
