// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cstring>

#include "shardmark/checkpoint/load.hpp"
#include "shardmark/checkpoint/save.hpp"
#include "shardmark/tensor/plain_tensor.hpp"
#include "shardmark/testing/conformance.hpp"
#include "shardmark/workload/value_law.hpp"

namespace shardmark::testing {
namespace {

constexpr const char* round_trip_name = "conformance.tensor";
constexpr std::uint64_t seed = 21;

/// Local. Calls `take(box, view)` for every box that holds elements.
template <typename Take>
Status for_each_box(const TensorUnderTest& tensor, const Take& take) {
  SHARDMARK_ASSIGN_OR_RETURN(const auto chunks, tensor.hooks().create_chunk_list());
  for (const Box& box : chunks) {
    if (!box.empty()) {
      SHARDMARK_ASSIGN_OR_RETURN(
          const TensorView view,
          tensor.hooks().get_mutable_tensor_shard({round_trip_name, box.offsets, std::nullopt}));
      SHARDMARK_RETURN_IF_ERROR(take(box, view));
    }
  }
  return {};
}

struct GlobalTensor {
  Dims sizes;
  Dtype dtype = Dtype::float32;
};

/// Collective. What the ranks' items say; a rank without items learns it from those that have some.
Result<GlobalTensor> global_tensor(const TensorUnderTest& tensor, const Communicator& comm) {
  const auto items = tensor.hooks().create_write_items(round_trip_name);
  SHARDMARK_RETURN_IF_ERROR(comm.agree(Status(items)));
  std::vector<std::int64_t> words(max_ndim + 2, -1);
  if (!items->empty()) {
    const TensorWriteData& data = items->front().tensor_data;
    words[0] = static_cast<std::int64_t>(data.properties.dtype);
    words[1] = data.size.ndim();
    std::copy(data.size.begin(), data.size.end(), words.begin() + 2);
  }
  comm.all_reduce(std::span<std::int64_t>(words), MPI_MAX);
  if (words[0] < 0) {
    return Error{ErrorCode::invalid_argument, "no rank has a write item"};
  }
  GlobalTensor global;
  global.dtype = static_cast<Dtype>(words[0]);
  global.sizes = Dims::filled(static_cast<int>(words[1]), 0);
  std::copy_n(words.begin() + 2, words[1], global.sizes.begin());
  return global;
}

Status check_box(const ConstTensorView& view, const Box& box, const Dims& sizes) {
  if (const auto wrong = check(view, round_trip_name, seed, box, sizes)) {
    return Error{ErrorCode::data_loss,
                 fmt::format("element {} was saved as {}, is loaded as {}", to_string(wrong->index),
                             wrong->expected, wrong->found)};
  }
  return {};
}

/// Collective.
Status save_and_load(const MakeTensor& make, const Communicator& comm, SaveOptions save_options) {
  auto saved = make(comm.rank(), comm.size());
  SHARDMARK_RETURN_IF_ERROR(comm.agree(Status(saved)));
  SHARDMARK_ASSIGN_OR_RETURN(const GlobalTensor global, global_tensor(*saved, comm));
  StateDict to_save;
  Status ready = saved->add_to(to_save, round_trip_name);
  if (ready) {
    ready = for_each_box(*saved, [&](const Box& box, const TensorView& view) -> Status {
      fill(view, round_trip_name, seed, box, global.sizes);
      return {};
    });
  }
  SHARDMARK_RETURN_IF_ERROR(comm.agree(ready));
  SHARDMARK_RETURN_IF_ERROR(Status(save(to_save, save_options, comm)));

  auto loaded = make(comm.rank(), comm.size());
  std::vector<std::byte> memory(
      static_cast<std::size_t>(volume(global.sizes) * element_size(global.dtype)), std::byte{0xA5});
  PlainTensor whole(contiguous_view(memory.data(), global.dtype, global.sizes));
  StateDict to_load;
  StateDict to_load_whole;
  ready = Status(loaded);
  if (ready) {
    ready = loaded->add_to(to_load, round_trip_name);
  }
  if (ready) {
    ready = to_load_whole.add(round_trip_name, whole);
  }
  if (ready) {
    ready = for_each_box(*loaded, [](const Box&, const TensorView& view) -> Status {
      for_each_contiguous_run(view, [&](std::byte* run, std::int64_t count) {
        std::memset(run, 0xA5, static_cast<std::size_t>(count * element_size(view.dtype)));
      });
      return {};
    });
  }
  SHARDMARK_RETURN_IF_ERROR(comm.agree(ready));
  LoadOptions load_options;
  load_options.directory = save_options.directory;
  load_options.step = save_options.step;
  load_options.backend = save_options.storage.backend;
  load_options.io = save_options.storage.io;
  SHARDMARK_RETURN_IF_ERROR(Status(load(to_load, load_options, comm)));
  SHARDMARK_RETURN_IF_ERROR(Status(load(to_load_whole, load_options, comm)));
  Status right = for_each_box(*loaded, [&](const Box& box, const TensorView& view) {
    return check_box(view, box, global.sizes);
  });
  if (right && volume(global.sizes) > 0) {
    right = check_box(contiguous_view<const std::byte>(memory.data(), global.dtype, global.sizes),
                      whole_box(global.sizes), global.sizes);
  }
  return comm.agree(right);
}

}  // namespace

std::vector<BrokenRule> check_round_trip(const MakeTensor& make, const Communicator& comm,
                                         const std::string& directory, std::int64_t step,
                                         const StorageOptions& storage) {
  SaveOptions options;
  options.directory = directory;
  options.step = step;
  options.storage = storage;
  const Status status = save_and_load(make, comm, options);
  if (status) {
    return {};
  }
  return {{"round trip", fmt::format("world of {}: {}", comm.size(), status.error().message)}};
}

}  // namespace shardmark::testing
