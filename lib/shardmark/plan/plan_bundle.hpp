// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "shardmark/plan/local_save_plan.hpp"

namespace shardmark {

/// The local plans of many ranks as one message: each name, with its dtype and shape, once, and
/// plans that list the same boxes once, so that replicas merge on the way. Nothing is lost: every
/// rank's plan comes out as it went in.
class PlanBundle {
 public:
  /// Local. One rank's own plan.
  void add(int rank, const LocalSavePlan& plan);
  /// Local. What another bundle holds. Errors: data_loss for anything that encode() cannot have
  /// written.
  Status merge(std::span<const std::byte> bytes);

  void encode(ByteWriter& out) const;
  /// Local. Calls `take(rank, encoded local plan)`, ranks ascending.
  Status for_each_plan(
      const std::function<Status(int rank, std::span<const std::byte>)>& take) const;

 private:
  std::uint32_t head_number(std::string head);
  void add_rank(int rank, std::string body);

  // Encoded: fqn, kind, dtype, ndim, sizes.
  std::vector<std::string> heads_;
  std::unordered_map<std::string, std::uint32_t> head_numbers_;
  // Encoded: for each entry of a plan its head's number, the count of its boxes, the boxes.
  std::vector<std::string> bodies_;
  std::unordered_map<std::string, std::uint32_t> body_numbers_;
  std::vector<std::pair<int, std::uint32_t>> ranks_;  // and their bodies
};

}  // namespace shardmark
