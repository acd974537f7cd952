// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/mpi/communicator.hpp"
#include "shardmark/protocol/state_dict.hpp"
#include "shardmark/storage/format/storage_options.hpp"

namespace shardmark::testing {

/// A rule of the Checkpointable contract that a type breaks, and how.
///
///   make              the type could be made for every rank of every world
///   hooks succeed     the two lists are given without an error
///   idempotent        a hook called twice says the same twice
///   same boxes        write items and chunk list name the same boxes in the same order
///   item fields       an item's offset is its box's; its fqn views the given string
///   same tensor       all ranks give one global shape and one dtype
///   bounds            every box lies in the tensor, with its number of dimensions
///   one box a corner  no two boxes of a rank that hold elements start at one offset
///   cover             every element lies in some rank's box
///   overlap           boxes of all ranks are equal (replicas) or apart
///   look-up           each box is found with a right, wrong, stale or missing hint, in its sizes
///   unknown offset    is not_found, whatever the hint
///   missing offset    is invalid_argument where a rank has several boxes
///   aliasing          what is written through a view is read through the next, box by box
///   layout            layout(), where there is one, gives the same boxes
///   round trip        what was saved is loaded, into this type and as a whole tensor
struct BrokenRule {
  std::string rule;
  std::string detail;  // world, rank, box
};

/// Local. One line each: "rule: detail". Empty if no rule is broken.
std::string to_string(const std::vector<BrokenRule>& broken);

/// A Checkpointable of any type, with what keeps it and its elements alive.
class TensorUnderTest {
 public:
  template <Checkpointable T>
  explicit TensorUnderTest(std::shared_ptr<T> tensor)
      : owner_(tensor),
        hooks_(*tensor),
        add_([tensor](StateDict& to, std::string fqn) { return to.add(std::move(fqn), *tensor); }) {
  }

  const CheckpointableRef& hooks() const noexcept { return hooks_; }
  Status add_to(StateDict& state_dict, std::string fqn) const {
    return add_(state_dict, std::move(fqn));
  }

 private:
  std::shared_ptr<void> owner_;
  CheckpointableRef hooks_;
  std::function<Status(StateDict&, std::string)> add_;
};

/// Makes `rank`'s part of the tensor in a world of `world_size`, with elements: local, and the same
/// every time.
using MakeTensor =
    std::function<Result<TensorUnderTest>(std::int64_t rank, std::int64_t world_size)>;

/// Local. A MakeTensor of a function that returns a std::shared_ptr<T>.
template <typename Make>
MakeTensor maker(Make make) {
  return [make](std::int64_t rank, std::int64_t world_size) -> Result<TensorUnderTest> {
    return TensorUnderTest(make(rank, world_size));
  };
}

/// Local. Plays worlds of 1 to `max_world_size` ranks in this process and checks every rule but the
/// round trip. Stops at the first world in which a rule is broken; all that it breaks there.
std::vector<BrokenRule> check_hooks(const MakeTensor& make, std::int64_t max_world_size = 8);

/// Collective. Saves the tensor by the ranks of `comm` as a real checkpoint in `directory`, loads
/// it into a poisoned one and as a whole tensor, and compares every element. The same on all ranks.
/// `directory`'s parent must exist; the checkpoint of `step` is left behind. With `storage` it is
/// the back end, the layout or the I/O mode that is under test.
std::vector<BrokenRule> check_round_trip(const MakeTensor& make, const Communicator& comm,
                                         const std::string& directory, std::int64_t step = 0,
                                         const StorageOptions& storage = {});

}  // namespace shardmark::testing
