// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/measure/memory_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/config/error_origin.hpp"
#include "bench/config/lib_options.hpp"
#include "bench/text/human_units.hpp"
#include "shardmark/storage/exchange/shared_staging.hpp"
#include "shardmark/storage/raw/staging_pool.hpp"

namespace shardmark::bench {
namespace {

// Metadata caches of HDF5, plans, buffers of MPI: measured 10 to 25 MiB a rank.
constexpr std::int64_t beside_bytes = std::int64_t{24} << 20;
constexpr int rooms_tag = 0x6d65;

/// Of one limit: what the ranks below it need together, and what it leaves them.
struct Load {
  std::int64_t tensors = 0;
  std::int64_t staging = 0;
  std::int64_t room = 0;
  int ranks = 0;

  std::int64_t num_bytes() const noexcept { return tensors + staging; }
};
using Loads = std::map<std::string, Load>;

/// Without overflow: a job's file may claim anything.
std::int64_t bounded_sum(std::int64_t sum, std::int64_t more) noexcept {
  constexpr std::int64_t most = INT64_MAX / 2;
  more = std::min(more, most);
  return std::min(sum, most - more) + more;
}

std::string lines_of(const MemoryNeed& need, std::span<const MemoryRoom> rooms) {
  std::string text;
  for (const MemoryRoom& room : rooms) {
    text += fmt::format("{} {} {} {}\n", need.tensors, need.staging, room.num_bytes, room.limit);
  }
  return text;
}

void add_lines(std::string_view text, Loads& loads) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string line(text.substr(0, end));
    long long tensors = 0;
    long long staging = 0;
    long long room = 0;
    int at = 0;
    if (std::sscanf(line.c_str(), "%lld %lld %lld %n", &tensors, &staging, &room, &at) == 3) {
      const auto [load, is_new] = loads.try_emplace(line.substr(static_cast<std::size_t>(at)));
      load->second.room = is_new ? room : std::min<std::int64_t>(load->second.room, room);
      load->second.tensors = bounded_sum(load->second.tensors, tensors);
      load->second.staging = bounded_sum(load->second.staging, staging);
      ++load->second.ranks;
    }
    text.remove_prefix(end + 1);
  }
}

/// Collective over a node; on its first rank what its limits have to bear.
Loads loads_of_node(const MemoryNeed& need, std::span<const MemoryRoom> rooms,
                    const Communicator& node) {
  Loads loads;
  const std::string own = lines_of(need, rooms);
  if (!node.is_root()) {
    node.send(std::as_bytes(std::span(own)), 0, rooms_tag);
    return loads;
  }
  add_lines(own, loads);
  for (int rank = 1; rank < node.size(); ++rank) {
    const std::vector<std::byte> bytes = node.recv(rank, rooms_tag);
    add_lines({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, loads);
  }
  return loads;
}

double fullness(const Load& load) {
  return static_cast<double>(load.num_bytes()) /
         static_cast<double>(std::max<std::int64_t>(1, load.room));
}

/// The limit that is nearest to being reached; null without any.
const Loads::value_type* tightest(const Loads& loads) {
  const auto found = std::ranges::max_element(
      loads, {}, [](const Loads::value_type& each) { return fullness(each.second); });
  return found == loads.end() ? nullptr : &*found;
}

/// Two significant digits, never more than `scale`.
double rounded_down(double scale) {
  const double unit = std::pow(10.0, std::floor(std::log10(scale)) - 1);
  return std::floor(scale / unit) * unit;
}

/// Local. Of the fullest configuration; with `scale`, if each had that one.
Result<MemoryNeed> fullest_need(std::span<const Config> configs, const TensorBytes& tensor_bytes,
                                std::optional<double> scale, int ranks_on_node) {
  MemoryNeed fullest;
  for (Config config : configs) {
    config.model.scale = scale ? scale : config.model.scale;
    SHARDMARK_ASSIGN_OR_RETURN(const std::int64_t tensors, tensor_bytes(config));
    fullest = MemoryNeed::larger(fullest, memory_need(config, tensors, ranks_on_node));
  }
  return fullest;
}

/// Collective. The largest scale of two digits that fits, as far as a few tries find it.
std::optional<double> scale_that_fits(std::span<const Config> configs,
                                      const TensorBytes& tensor_bytes, double fullest,
                                      std::span<const MemoryRoom> rooms, const Communicator& node,
                                      const Communicator& comm) {
  constexpr int most_tries = 8;
  const auto scale_of = [](const Config& config) { return config.model.scale.value_or(1); };
  double scale = scale_of(configs.front());
  if (std::ranges::any_of(configs, [&](const Config& each) { return scale_of(each) != scale; })) {
    return std::nullopt;
  }
  for (int i = 0; i < most_tries; ++i) {
    scale = rounded_down(scale / fullest * (i == 0 ? 1.0 : 0.95));
    const auto need = fullest_need(configs, tensor_bytes, scale, node.size());
    if (comm.all_reduce(std::int64_t{need ? 0 : 1}, MPI_SUM) > 0) {
      return std::nullopt;
    }
    const Loads loads = loads_of_node(*need, rooms, node);
    const auto* load = tightest(loads);
    fullest = comm.all_reduce(load == nullptr ? 0.0 : fullness(load->second), MPI_MAX);
    if (fullest <= 1) {
      return scale;
    }
  }
  return std::nullopt;
}

/// Collective over both.
Status check_on_nodes(std::span<const Config> configs, const TensorBytes& tensor_bytes,
                      std::span<const MemoryRoom> rooms, const Communicator& node,
                      const Communicator& comm) {
  const auto need = fullest_need(configs, tensor_bytes, std::nullopt, node.size());
  SHARDMARK_RETURN_IF_ERROR(comm.agree(Status(need)));
  const Loads loads = loads_of_node(*need, rooms, node);
  const auto* load = tightest(loads);
  const double own = load == nullptr ? 0.0 : fullness(load->second);
  const double fullest = comm.all_reduce(own, MPI_MAX);
  if (fullest <= 1) {
    return {};
  }
  const auto fits = scale_that_fits(configs, tensor_bytes, fullest, rooms, node, comm);
  Status status;
  if (own > 1) {
    const Load& most = load->second;
    status = Error{
        ErrorCode::invalid_argument,
        fmt::format(
            "{} ranks of this node would hold {} (tensors {}, staging and libraries {}), and {} leaves {}; {}",
            most.ranks, format_bytes(most.num_bytes()), format_bytes(most.tensors),
            format_bytes(most.staging), load->first, format_bytes(most.room),
            fits ? fmt::format("model.scale = {:.2g} fits; or use more nodes", *fits)
                 : std::string("use more nodes, or a smaller model.scale"))};
  }
  return comm.agree(status);
}

}  // namespace

MemoryNeed memory_need(const Config& config, std::int64_t tensors, int ranks_on_node) {
  const StorageConfig& storage = config.storage;
  MemoryNeed need{tensors, beside_bytes};
  if (storage.async) {
    need.staging += storage.staging_bytes > 0 ? std::min(storage.staging_bytes, tensors) : tensors;
  }
  const bool raw = storage.io == "direct" || storage.backend != "hdf5";
  if (raw && storage.backend != "null") {
    need.staging +=
        std::min(static_cast<std::int64_t>(raw_staging_buffers) * raw_piece_bytes, tensors);
    const std::int64_t together = storage.exchange_bytes > 0
                                      ? storage.exchange_bytes
                                      : SharedStaging::default_bytes(ranks_on_node);
    const bool exchanges = storage.exchange != "off" || config.load.exchange != "off";
    need.staging += exchanges ? std::min(together / ranks_on_node, tensors) : 0;
  }
  return need;
}

Status check_memory(std::span<const Config> configs, const TensorBytes& tensor_bytes,
                    std::span<const MemoryRoom> rooms, const Communicator& comm) {
  if (configs.empty()) {
    return {};
  }
  auto node = Communicator::split_by_node(comm);
  SHARDMARK_RETURN_IF_ERROR(comm.agree(Status(node)));
  const Status status = check_on_nodes(configs, tensor_bytes, rooms, *node, comm);
  node->close();
  return status;
}

Result<Workload> make_workload_that_fits(const Config& config, const MakeWorkload& make,
                                         const Communicator& comm) {
  const auto tensor_bytes = [&](const Config& of) -> Result<std::int64_t> {
    SHARDMARK_ASSIGN_OR_RETURN(const Workload planned, with_origin(make(of, Memory::none), of));
    return planned.local_num_bytes();
  };
  SHARDMARK_RETURN_IF_ERROR(check_memory({&config, 1}, tensor_bytes, memory_rooms(), comm));
  auto workload = with_origin(make(config, Memory::allocate), config);
  SHARDMARK_RETURN_IF_ERROR(comm.agree(Status(workload)));
  return workload;
}

}  // namespace shardmark::bench
