// SPDX-License-Identifier: Apache-2.0
#include "bench/config/config_key_table.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace shardmark::bench {
namespace {

#define SHARDMARK_TARGET(member) [](Config& config) -> KeyTarget { return &config.member; }

constexpr std::int64_t max_ranks = std::int64_t{1} << 31;

const std::vector<ConfigKey> table = {
    {"model.name", KeyForm::text, SHARDMARK_TARGET(model.name)},
    {"model.safetensors",
     KeyForm::absent,
     [](Config&) -> KeyTarget { return std::monostate(); },
     {"model.name"}},
    {"model.scale", KeyForm::share, SHARDMARK_TARGET(model.scale)},
    {"model.dtype", KeyForm::dtype, SHARDMARK_TARGET(model.dtype)},
    {"model.optimizer",
     KeyForm::choice,
     SHARDMARK_TARGET(model.optimizer),
     {"none", "adamw", "sgd-momentum"}},

    {"parallel.strategy", KeyForm::text, SHARDMARK_TARGET(parallel.strategy)},
    {"parallel.dp_replicate", KeyForm::degree, SHARDMARK_TARGET(parallel.dp_replicate)},
    {"parallel.dp_shard", KeyForm::degree, SHARDMARK_TARGET(parallel.dp_shard)},
    {"parallel.tp", KeyForm::degree, SHARDMARK_TARGET(parallel.tp)},
    {"parallel.pp", KeyForm::degree, SHARDMARK_TARGET(parallel.pp)},
    {"parallel.ep", KeyForm::degree, SHARDMARK_TARGET(parallel.ep)},
    {"parallel.order", KeyForm::text, SHARDMARK_TARGET(parallel.order)},

    {"planner.kind",
     KeyForm::choice,
     SHARDMARK_TARGET(planner.kind),
     {"coordinator"},
     {"tree", "layout"}},
    {"planner.dedup",
     KeyForm::choice,
     SHARDMARK_TARGET(planner.dedup),
     {"balanced", "lowest-rank"},
     {"dcp", "split"}},
    {"planner.cache", KeyForm::switched_off, SHARDMARK_TARGET(planner.cache)},

    {"storage.backend",
     KeyForm::choice,
     SHARDMARK_TARGET(storage.backend),
     {"hdf5", "null"},
     {"posix", "posix-shared", "mpiio"}},
    {"storage.directory", KeyForm::text, SHARDMARK_TARGET(storage.directory)},
    {"storage.layout",
     KeyForm::choice,
     SHARDMARK_TARGET(storage.layout),
     {"auto", "shared"},
     {"shared-chunked", "per-rank", "per-node", "groups:M", "packed"},
     "shared"},
    {"storage.io",
     KeyForm::choice,
     SHARDMARK_TARGET(storage.io),
     {"auto", "collective", "independent"},
     {"direct"},
     "independent"},
    {"storage.o_direct", KeyForm::boolean, SHARDMARK_TARGET(storage.o_direct)},
    {"storage.threads", KeyForm::integer, SHARDMARK_TARGET(storage.threads), {}, {}, {}, 0, 1024},
    {"storage.checksum", KeyForm::choice, SHARDMARK_TARGET(storage.checksum), {"xxh3", "none"}},
    {"storage.async", KeyForm::switched_off, SHARDMARK_TARGET(storage.async)},
    {"storage.staging_bytes", KeyForm::byte_size, SHARDMARK_TARGET(storage.staging_bytes)},
    {"storage.alignment", KeyForm::auto_size, SHARDMARK_TARGET(storage.alignment)},
    {"storage.alignment_threshold", KeyForm::byte_size,
     SHARDMARK_TARGET(storage.alignment_threshold)},
    {"storage.allow_padding", KeyForm::boolean, SHARDMARK_TARGET(storage.allow_padding)},
    {"storage.meta_block_size",
     KeyForm::byte_size,
     SHARDMARK_TARGET(storage.meta_block_size),
     {},
     {},
     {},
     1},
    {"storage.hints", KeyForm::hints, SHARDMARK_TARGET(storage.hints)},

    {"load.checksum", KeyForm::choice, SHARDMARK_TARGET(load.checksum), {"full", "read", "none"}},
    {"load.replicas", KeyForm::choice, SHARDMARK_TARGET(load.replicas), {"read"}, {"broadcast"}},
    {"load.strict", KeyForm::boolean, SHARDMARK_TARGET(load.strict)},
    {"load.sieve_gap", KeyForm::byte_size, SHARDMARK_TARGET(load.sieve_gap)},

    {"run.ranks", KeyForm::integer, SHARDMARK_TARGET(run.ranks), {}, {}, {}, 1, max_ranks},
    {"run.benchmarks",
     KeyForm::choice_list,
     SHARDMARK_TARGET(run.benchmarks),
     {"hooks", "plan", "save", "load"},
     {"reshard", "ceiling"}},
    {"run.repetitions", KeyForm::integer, SHARDMARK_TARGET(run.repetitions), {}, {}, {}, 1, 100000},
    {"run.warmup", KeyForm::integer, SHARDMARK_TARGET(run.warmup), {}, {}, {}, 0, 100000},
    {"run.cold_read", KeyForm::boolean, SHARDMARK_TARGET(run.cold_read)},
    {"run.verify", KeyForm::choice, SHARDMARK_TARGET(run.verify), {"full", "sample", "none"}},
    {"run.keep", KeyForm::integer, SHARDMARK_TARGET(run.keep)},
};

#undef SHARDMARK_TARGET

}  // namespace

const std::vector<ConfigKey>& config_key_table() {
  return table;
}

const ConfigKey* find_config_key(std::string_view name) {
  const auto it = std::find_if(table.begin(), table.end(),
                               [&](const ConfigKey& key) { return key.name == name; });
  return it == table.end() ? nullptr : &*it;
}

std::vector<std::string_view> all_names(const ConfigKey& key) {
  std::vector<std::string_view> names = key.built;
  names.insert(names.end(), key.planned.begin(), key.planned.end());
  return names;
}

std::string expectation(const ConfigKey& key) {
  switch (key.form) {
    case KeyForm::boolean:
    case KeyForm::switched_off:
      return "true or false";
    case KeyForm::integer:
      return key.maximum == std::numeric_limits<std::int64_t>::max()
                 ? fmt::format("an integer of at least {}", key.minimum)
                 : fmt::format("an integer from {} to {}", key.minimum, key.maximum);
    case KeyForm::degree:
      return "an integer of at least 1, or -1 for the rest of the world";
    case KeyForm::share:
      return "a number above 0 and at most 1";
    case KeyForm::text:
      return "a string that is not empty";
    case KeyForm::choice:
      return fmt::format("one of {}", fmt::join(all_names(key), ", "));
    case KeyForm::choice_list:
      return fmt::format("a list of one or more of {}, none twice",
                         fmt::join(all_names(key), ", "));
    case KeyForm::byte_size:
      return fmt::format("bytes from {}, as an integer or like \"64KiB\", \"1MiB\", \"2GiB\"",
                         key.minimum);
    case KeyForm::auto_size:
      return "\"auto\", or bytes as an integer or like \"64KiB\"";
    case KeyForm::dtype:
      return "one of " + dtype_names();
    case KeyForm::hints:
      return "a table of MPI-IO hints, as in {romio_cb_write = \"enable\"}";
    case KeyForm::absent:
      return fmt::format("{} instead", key.built.front());
  }
  return {};
}

}  // namespace shardmark::bench
