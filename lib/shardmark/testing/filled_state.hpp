// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "shardmark/core/assert.hpp"
#include "shardmark/mpi/communicator.hpp"
#include "shardmark/protocol/state_dict.hpp"
#include "shardmark/tensor/dtensor.hpp"

namespace shardmark::testing {

/// DTensors of int32 elements with memory of their own. Element i of a tensor holds i plus a salt,
/// found by painting: independent of the code under test but for local box offsets.
class FilledState {
 public:
  explicit FilledState(const Communicator& comm) : rank_(comm.rank()) {}

  void add(const std::string& fqn, const Dims& sizes, const std::vector<Placement>& placements,
           const Dims& mesh_shape, Dtype dtype = Dtype::int32) {
    const DeviceMesh mesh = *DeviceMesh::row_major(mesh_shape);
    const TensorLayout layout = *make_tensor_layout(sizes, dtype, mesh, placements);
    const Dims local = *DTensor::local_sizes(layout, rank_);
    TestTensor& t = tensors_.emplace_back();
    t.elements.assign(static_cast<std::size_t>(volume(local)), -1);
    t.tensor.emplace(*DTensor::from_local(
        contiguous_view(reinterpret_cast<std::byte*>(t.elements.data()), dtype, local), layout,
        rank_));
    const Status added = state.add(fqn, *t.tensor);
    SHARDMARK_ASSERT(added.has_value(), "two tensors of one name in a test");
  }

  void fill(std::int32_t salt = 0) {
    for_each_element([salt](std::int32_t& element, std::int32_t index) { element = index + salt; });
  }
  int count_wrong(std::int32_t salt = 0) {
    int wrong = 0;
    for_each_element([&](std::int32_t element, std::int32_t index) {
      wrong += element == index + salt ? 0 : 1;
    });
    return wrong;
  }

  StateDict state;

 private:
  struct TestTensor {
    std::vector<std::int32_t> elements;
    std::optional<DTensor> tensor;
  };

  /// Calls `take(element, global index)` for every local element.
  template <typename Take>
  void for_each_element(const Take& take) {
    for (TestTensor& t : tensors_) {
      const Dims strides = row_major_strides(t.tensor->layout().global_sizes);
      for (const Box& box : *t.tensor->create_chunk_list()) {
        if (box.empty()) {
          continue;
        }
        const TensorView view = *t.tensor->get_tensor_shard(MetadataIndex{"", box.offsets, {}});
        Dims at = Dims::filled(box.ndim(), 0);
        while (true) {
          std::int64_t global = 0;
          std::int64_t local = 0;
          for (int d = 0; d < box.ndim(); ++d) {
            global += (box.offsets[d] + at[d]) * strides[d];
            local += at[d] * view.strides[d];
          }
          take(reinterpret_cast<std::int32_t*>(view.data)[local],
               static_cast<std::int32_t>(global));
          int d = box.ndim() - 1;
          while (d >= 0 && ++at[d] == box.sizes[d]) {
            at[d--] = 0;
          }
          if (d < 0) {
            break;
          }
        }
      }
    }
  }

  int rank_;
  std::deque<TestTensor> tensors_;
};

}  // namespace shardmark::testing
