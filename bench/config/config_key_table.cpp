// SPDX-License-Identifier: Apache-2.0
#include "bench/config/config_key_table.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "shardmark/plan/save/save_planner.hpp"
#include "shardmark/storage/format/storage_options.hpp"

namespace shardmark::bench {
namespace {

#define SHARDMARK_TARGET(member) [](Config& config) -> KeyTarget { return &config.member; }

constexpr std::int64_t max_ranks = std::int64_t{1} << 31;
constexpr std::int64_t max_virtual_ranks = std::int64_t{1} << 24;

template <typename Row>
std::vector<std::string_view> names_of(std::span<const Row> table) {
  std::vector<std::string_view> names;
  for (const Row& row : table) {
    names.push_back(row.name);
  }
  return names;
}

/// The build's list of families, which this room is too low to see.
std::vector<std::string_view> family_names() {
  std::vector<std::string_view> names;
  for (std::string_view rest = SHARDMARK_FAMILIES; !rest.empty();) {
    const std::size_t end = std::min(rest.find(','), rest.size());
    names.push_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return names;
}

const std::vector<ConfigKey> table = {
    {"model.name", "A model of the catalog; 'shardmark models' lists them", KeyForm::text,
     SHARDMARK_TARGET(model.name)},
    {"model.safetensors",
     "A safetensors file, or its .index.json, whose names, shapes and dtypes replace the catalog's; only headers are read, and a file may be the header alone",
     KeyForm::text, SHARDMARK_TARGET(model.safetensors)},
    {"model.scale",
     "Share of the model's bytes to keep, within 10 %, with all names and the structure",
     KeyForm::share, SHARDMARK_TARGET(model.scale)},
    {"model.dtype", "dtype of all parameters; left out, each has the catalog's", KeyForm::dtype,
     SHARDMARK_TARGET(model.dtype)},
    {"model.optimizer",
     "What the optimizer keeps for every parameter, in float32",
     KeyForm::choice,
     SHARDMARK_TARGET(model.optimizer),
     {"none", "adamw", "sgd-momentum"}},
    {"model.experts",
     "Whether the experts of a layer are tensors of their own or stacked to one a weight",
     KeyForm::choice,
     SHARDMARK_TARGET(model.experts),
     {"separate", "stacked"}},
    {"model.matrix_sizes",
     "Matrices (rows x columns) and vectors of the model matrix, as in 8192x8192,8192",
     KeyForm::text, SHARDMARK_TARGET(model.matrix_sizes)},

    {"parallel.strategy", "How tensors are cut over the ranks", KeyForm::text,
     SHARDMARK_TARGET(parallel.strategy)},
    {"parallel.dp_replicate", "Data-parallel groups that each hold the whole state",
     KeyForm::degree, SHARDMARK_TARGET(parallel.dp_replicate)},
    {"parallel.dp_shard", "Data-parallel ranks that share one copy of the state", KeyForm::degree,
     SHARDMARK_TARGET(parallel.dp_shard)},
    {"parallel.tp", "Tensor-parallel ranks", KeyForm::degree, SHARDMARK_TARGET(parallel.tp)},
    {"parallel.pp", "Pipeline stages", KeyForm::degree, SHARDMARK_TARGET(parallel.pp)},
    {"parallel.ep", "Expert-parallel ranks, a divisor of dp_shard", KeyForm::degree,
     SHARDMARK_TARGET(parallel.ep)},
    {"parallel.order", "Which ranks are neighbours, fastest first: tp-dp-pp or tp-pp-dp",
     KeyForm::text, SHARDMARK_TARGET(parallel.order)},
    {"parallel.grid_rows",
     "Rows of block-cyclic's process grid, a divisor of the world; -1 or left out: the largest up to its square root",
     KeyForm::degree, SHARDMARK_TARGET(parallel.grid_rows)},
    {"parallel.block_size",
     "Rows and columns of block-cyclic's blocks",
     KeyForm::integer,
     SHARDMARK_TARGET(parallel.block_size),
     {},
     {},
     1},

    {"planner.kind", "How a save is planned", KeyForm::choice, SHARDMARK_TARGET(planner.kind),
     names_of(planner_table())},
    {"planner.dedup",
     "Which of the ranks that hold a replicated chunk writes it",
     KeyForm::choice,
     SHARDMARK_TARGET(planner.dedup),
     {"balanced", "lowest-rank", "dcp", "split"}},
    {"planner.cache", "Keep plan and file structure of one save for the next", KeyForm::boolean,
     SHARDMARK_TARGET(planner.cache)},

    {"storage.backend",
     "What takes the bytes; null discards them, which shows the cost of everything else",
     KeyForm::choice, SHARDMARK_TARGET(storage.backend), names_of(backend_table())},
    {"storage.directory", "The folder of the checkpoints that 'run' makes", KeyForm::text,
     SHARDMARK_TARGET(storage.directory)},
    {"storage.layout",
     "How chunks lie in files; auto decides for each tensor and says why",
     KeyForm::choice,
     SHARDMARK_TARGET(storage.layout),
     {"auto", "shared", "shared-chunked", "per-rank", "per-node", "groups:M", "packed"}},
    {"storage.io",
     "How ranks write and read",
     KeyForm::choice,
     SHARDMARK_TARGET(storage.io),
     {"auto", "collective", "independent", "direct"},
     "direct"},
    {"storage.o_direct", "Bypass the page cache; acts with io = direct only", KeyForm::boolean,
     SHARDMARK_TARGET(storage.o_direct)},
    {"storage.threads",
     "I/O threads a rank, 0 to choose; acts with io = direct only",
     KeyForm::integer,
     SHARDMARK_TARGET(storage.threads),
     {},
     {},
     0,
     1024},
    {"storage.checksum",
     "What is stored for each chunk, to find damage when it is loaded",
     KeyForm::choice,
     SHARDMARK_TARGET(storage.checksum),
     {"xxh3", "none"}},
    {"storage.async", "Go on once the tensors are staged and save in the background",
     KeyForm::boolean, SHARDMARK_TARGET(storage.async)},
    {"storage.staging_bytes", "Buffers of async, 0 for this rank's bytes; acts with async only",
     KeyForm::byte_size, SHARDMARK_TARGET(storage.staging_bytes)},
    {"storage.alignment",
     "Multiples at which objects begin in a file; auto pads by 5 % at most",
     KeyForm::auto_size,
     SHARDMARK_TARGET(storage.alignment),
     {},
     {},
     1},
    {"storage.alignment_threshold",
     "Smallest object that is aligned, 0 for the alignment; acts with an explicit alignment only",
     KeyForm::byte_size, SHARDMARK_TARGET(storage.alignment_threshold)},
    {"storage.allow_padding",
     "Accept more than 5 % of padding; acts with an explicit alignment only", KeyForm::boolean,
     SHARDMARK_TARGET(storage.allow_padding)},
    {"storage.meta_block_size",
     "How much HDF5 metadata is kept together",
     KeyForm::byte_size,
     SHARDMARK_TARGET(storage.meta_block_size),
     {},
     {},
     1},
    {"storage.hints", "Hints for MPI-IO; act with io = collective and independent only",
     KeyForm::hints, SHARDMARK_TARGET(storage.hints)},

    {"load.checksum",
     "Which chunks are verified: all, those that one rank reads whole, or none",
     KeyForm::choice,
     SHARDMARK_TARGET(load.checksum),
     {"full", "read", "none"}},
    {"load.replicas",
     "How ranks that want the same elements get them",
     KeyForm::choice,
     SHARDMARK_TARGET(load.replicas),
     {"read", "broadcast"}},
    {"load.strict", "Whether a tensor that the checkpoint does not have is an error, or left alone",
     KeyForm::boolean, SHARDMARK_TARGET(load.strict)},
    {"load.sieve_gap", "Largest gap to read across; acts with io = direct only", KeyForm::byte_size,
     SHARDMARK_TARGET(load.sieve_gap)},

    {"reshard.saved_strategy",
     "How the checkpoint of the family reshard was sharded; left out, as parallel.strategy",
     KeyForm::text, SHARDMARK_TARGET(reshard.saved_strategy)},
    {"reshard.save_ranks",
     "Ranks of the launch that save it, 0 for all",
     KeyForm::integer,
     SHARDMARK_TARGET(reshard.save_ranks),
     {},
     {},
     0,
     max_ranks},
    {"reshard.load_ranks",
     "Ranks of the launch that load it, 0 for all",
     KeyForm::integer,
     SHARDMARK_TARGET(reshard.load_ranks),
     {},
     {},
     0,
     max_ranks},

    {"run.ranks",
     "Ranks that scripts/run starts, and the world of 'plan'",
     KeyForm::integer,
     SHARDMARK_TARGET(run.ranks),
     {},
     {},
     1,
     max_ranks},
    {"run.world",
     "Virtual ranks that hooks and plan play, 0 for the launched ones",
     KeyForm::integer,
     SHARDMARK_TARGET(run.world),
     {},
     {},
     0,
     max_virtual_ranks},
    {"run.benchmarks", "Benchmark families to run", KeyForm::choice_list,
     SHARDMARK_TARGET(run.benchmarks), family_names()},
    {"run.repetitions",
     "Samples of each case",
     KeyForm::integer,
     SHARDMARK_TARGET(run.repetitions),
     {},
     {},
     1,
     100000},
    {"run.warmup",
     "Rounds before the first sample",
     KeyForm::integer,
     SHARDMARK_TARGET(run.warmup),
     {},
     {},
     0,
     100000},
    {"run.cold_read", "Drop the page cache before each timed read", KeyForm::boolean,
     SHARDMARK_TARGET(run.cold_read)},
    {"run.verify",
     "How much of each timed save and load is read back and compared",
     KeyForm::choice,
     SHARDMARK_TARGET(run.verify),
     {"full", "sample", "none"}},
    {"run.interference", "Compute and all-reduce while a save of storage.async is under way",
     KeyForm::boolean, SHARDMARK_TARGET(run.interference)},
    {"run.keep", "Checkpoints to leave behind", KeyForm::integer, SHARDMARK_TARGET(run.keep)},
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

std::string expectation(const ConfigKey& key) {
  switch (key.form) {
    case KeyForm::boolean:
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
      return fmt::format("one of {}", fmt::join(key.choices, ", "));
    case KeyForm::choice_list:
      return fmt::format("a list of one or more of {}, none twice", fmt::join(key.choices, ", "));
    case KeyForm::byte_size:
      return fmt::format("bytes from {}, as an integer or like \"64KiB\", \"1MiB\", \"2GiB\"",
                         key.minimum);
    case KeyForm::auto_size:
      return "\"auto\", or bytes as an integer or like \"64KiB\"";
    case KeyForm::dtype:
      return "one of " + dtype_names();
    case KeyForm::hints:
      return "a table of MPI-IO hints, as in {romio_cb_write = \"enable\"}";
  }
  return {};
}

}  // namespace shardmark::bench
