// SPDX-License-Identifier: Apache-2.0
#include "bench/config/config_key_table.hpp"

#include <algorithm>

#include "shardmark/plan/save/save_planner.hpp"
#include "shardmark/storage/format/storage_options.hpp"
#include "shardmark/storage/posix/striping.hpp"

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
    {.name = "model.name",
     .about = "A model of the catalog; 'shardmark models' lists them",
     .form = KeyForm::text,
     .target = SHARDMARK_TARGET(model.name)},
    {.name = "model.safetensors",
     .about =
         "A safetensors file, or its .index.json, whose names, shapes and dtypes replace the catalog's; only headers are read, and a file may be the header alone. A relative path counts from the working folder, or from that of the configuration",
     .form = KeyForm::text,
     .target = SHARDMARK_TARGET(model.safetensors)},
    {.name = "model.job",
     .about =
         "A job file that scripts/job wrote: the tensors of a real job, as its ranks hold them, "
         "replace model and strategy; in its own world by 'plan', or by run.world. A relative path "
         "counts from the working folder, or from that of the configuration",
     .form = KeyForm::text,
     .target = SHARDMARK_TARGET(model.job)},
    {.name = "model.scale",
     .about = "Share of the model's bytes to keep, within 10 %, with all names and the structure",
     .form = KeyForm::share,
     .target = SHARDMARK_TARGET(model.scale)},
    {.name = "model.dtype",
     .about = "dtype of all parameters; left out, each has the catalog's",
     .form = KeyForm::dtype,
     .target = SHARDMARK_TARGET(model.dtype)},
    {.name = "model.optimizer",
     .about = "What the optimizer keeps for every parameter, in float32",
     .form = KeyForm::choice,
     .target = SHARDMARK_TARGET(model.optimizer),
     .choices = {"none", "adamw", "sgd-momentum"}},
    {.name = "model.experts",
     .about = "Whether the experts of a layer are tensors of their own or stacked to one a weight",
     .form = KeyForm::choice,
     .target = SHARDMARK_TARGET(model.experts),
     .choices = {"separate", "stacked"}},
    {.name = "model.matrix_sizes",
     .about = "Matrices (rows x columns) and vectors of the model matrix, as in 8192x8192,8192",
     .form = KeyForm::text,
     .target = SHARDMARK_TARGET(model.matrix_sizes)},

    {.name = "parallel.strategy",
     .about = "How tensors are cut over the ranks",
     .form = KeyForm::text,
     .target = SHARDMARK_TARGET(parallel.strategy)},
    {.name = "parallel.dp_replicate",
     .about = "Data-parallel groups that each hold the whole state",
     .form = KeyForm::degree,
     .target = SHARDMARK_TARGET(parallel.dp_replicate)},
    {.name = "parallel.dp_shard",
     .about = "Data-parallel ranks that share one copy of the state",
     .form = KeyForm::degree,
     .target = SHARDMARK_TARGET(parallel.dp_shard)},
    {.name = "parallel.tp",
     .about = "Tensor-parallel ranks",
     .form = KeyForm::degree,
     .target = SHARDMARK_TARGET(parallel.tp)},
    {.name = "parallel.pp",
     .about = "Pipeline stages",
     .form = KeyForm::degree,
     .target = SHARDMARK_TARGET(parallel.pp)},
    {.name = "parallel.ep",
     .about = "Expert-parallel ranks, a divisor of dp_shard",
     .form = KeyForm::degree,
     .target = SHARDMARK_TARGET(parallel.ep)},
    {.name = "parallel.order",
     .about = "Which ranks are neighbours, fastest first: tp-dp-pp or tp-pp-dp",
     .form = KeyForm::text,
     .target = SHARDMARK_TARGET(parallel.order)},
    {.name = "parallel.grid_rows",
     .about =
         "Rows of block-cyclic's process grid, a divisor of the world; -1 or left out: the largest up to its square root",
     .form = KeyForm::degree,
     .target = SHARDMARK_TARGET(parallel.grid_rows)},
    {.name = "parallel.block_size",
     .about = "Rows and columns of block-cyclic's blocks",
     .form = KeyForm::integer,
     .target = SHARDMARK_TARGET(parallel.block_size),
     .minimum = 1},
    {.name = "parallel.rules",
     .about =
         "Placements by glob of parameters' names, instead of the strategy's; the pattern that says most of a name wins",
     .form = KeyForm::rules,
     .target = SHARDMARK_TARGET(parallel.rules)},

    {.name = "planner.kind",
     .about = "How a save is planned",
     .form = KeyForm::choice,
     .target = SHARDMARK_TARGET(planner.kind),
     .choices = names_of(planner_table())},
    {.name = "planner.dedup",
     .about = "Which of the ranks that hold a replicated chunk writes it",
     .form = KeyForm::choice,
     .target = SHARDMARK_TARGET(planner.dedup),
     .choices = {"balanced", "lowest-rank", "dcp", "split"}},
    {.name = "planner.cache",
     .about = "Keep plan and file structure of one save for the next",
     .form = KeyForm::boolean,
     .target = SHARDMARK_TARGET(planner.cache)},

    {.name = "storage.backend",
     .about = "What takes the bytes; null discards them, which shows the cost of everything else",
     .form = KeyForm::choice,
     .target = SHARDMARK_TARGET(storage.backend),
     .choices = names_of(backend_table())},
    {.name = "storage.directory",
     .about = "The folder of the checkpoints that 'run' makes",
     .form = KeyForm::text,
     .target = SHARDMARK_TARGET(storage.directory)},
    {.name = "storage.layout",
     .about = "How chunks lie in files; auto decides for each tensor and says why",
     .form = KeyForm::choice,
     .target = SHARDMARK_TARGET(storage.layout),
     .choices = {"auto", "shared", "shared-chunked", "per-rank", "per-node", "groups:M", "packed"}},
    {.name = "storage.io",
     .about = "How ranks write and read",
     .form = KeyForm::choice,
     .target = SHARDMARK_TARGET(storage.io),
     .choices = {"auto", "collective", "independent", "direct"},
     .auto_means = "direct"},
    {.name = "storage.o_direct",
     .about = "Bypass the page cache; acts with io = direct only",
     .form = KeyForm::boolean,
     .target = SHARDMARK_TARGET(storage.o_direct)},
    {.name = "storage.threads",
     .about = "I/O threads a rank, 0 to choose; acts with io = direct only",
     .form = KeyForm::integer,
     .target = SHARDMARK_TARGET(storage.threads),
     .minimum = 0,
     .maximum = 1024},
    {.name = "storage.checksum",
     .about = "What is stored for each chunk, to find damage when it is loaded",
     .form = KeyForm::choice,
     .target = SHARDMARK_TARGET(storage.checksum),
     .choices = {"xxh3", "none"}},
    {.name = "storage.async",
     .about = "Go on once the tensors are staged and save in the background",
     .form = KeyForm::boolean,
     .target = SHARDMARK_TARGET(storage.async)},
    {.name = "storage.staging_bytes",
     .about = "Buffers of async, 0 for this rank's bytes; acts with async only",
     .form = KeyForm::byte_size,
     .target = SHARDMARK_TARGET(storage.staging_bytes)},
    {.name = "storage.alignment",
     .about = "Multiples at which objects begin in a file; auto pads by 5 % at most",
     .form = KeyForm::auto_size,
     .target = SHARDMARK_TARGET(storage.alignment),
     .minimum = 1},
    {.name = "storage.alignment_threshold",
     .about =
         "Smallest object that is aligned, 0 for the alignment; acts with an explicit alignment only",
     .form = KeyForm::byte_size,
     .target = SHARDMARK_TARGET(storage.alignment_threshold)},
    {.name = "storage.allow_padding",
     .about = "Accept more than 5 % of padding; acts with an explicit alignment only",
     .form = KeyForm::boolean,
     .target = SHARDMARK_TARGET(storage.allow_padding)},
    {.name = "storage.meta_block_size",
     .about = "How much HDF5 metadata is kept together",
     .form = KeyForm::byte_size,
     .target = SHARDMARK_TARGET(storage.meta_block_size),
     .minimum = 1},
    {.name = "storage.exchange",
     .about =
         "Whether ranks write blocks that several have bytes in together, each once; acts with "
         "io = direct only",
     .form = KeyForm::choice,
     .target = SHARDMARK_TARGET(storage.exchange),
     .choices = {"auto", "off", "edges", "node", "world"}},
    {.name = "storage.exchange_bytes",
     .about = "Memory that a node's ranks share for the exchange, 0 for 64 MiB a rank, 512 MiB at "
              "most",
     .form = KeyForm::byte_size,
     .target = SHARDMARK_TARGET(storage.exchange_bytes)},
    {.name = "storage.aggregators",
     .about = "Ranks of a node that write, with exchange = world, 0 for up to 4",
     .form = KeyForm::integer,
     .target = SHARDMARK_TARGET(storage.aggregators),
     .maximum = 1 << 20},
    {.name = "storage.stripe_size",
     .about = "Stripes of the files that are made, where the file system has some; 0 as the "
              "directory has them",
     .form = KeyForm::byte_size,
     .target = SHARDMARK_TARGET(storage.stripe_size),
     .maximum = max_stripe_bytes,
     .multiple_of = stripe_unit_bytes},
    {.name = "storage.stripe_count",
     .about = "Storage targets that each file is striped over; 0 as the directory has it, -1 all",
     .form = KeyForm::integer,
     .target = SHARDMARK_TARGET(storage.stripe_count),
     .minimum = all_stripes,
     .maximum = max_stripe_count},
    {.name = "storage.hints",
     .about = "Hints for MPI-IO; act with io = collective and independent only",
     .form = KeyForm::hints,
     .target = SHARDMARK_TARGET(storage.hints)},
    {.name = "storage.coherent",
     .about = "Whether two nodes may write parts of one page; auto as the probe found",
     .form = KeyForm::choice,
     .target = SHARDMARK_TARGET(storage.coherent),
     .choices = {"auto", "yes", "no"}},
    {.name = "storage.assume",
     .about = "Instead of what the probe found of the file system; 'shardmark probe' names all",
     .form = KeyForm::traits,
     .target = SHARDMARK_TARGET(storage.assume)},

    {.name = "load.checksum",
     .about = "Which chunks are verified: all, those that one rank reads whole, or none",
     .form = KeyForm::choice,
     .target = SHARDMARK_TARGET(load.checksum),
     .choices = {"full", "read", "none"}},
    {.name = "load.replicas",
     .about = "How ranks that want the same elements get them; broadcast is load.exchange = world "
              "where that acts, else one reads and sends",
     .form = KeyForm::choice,
     .target = SHARDMARK_TARGET(load.replicas),
     .choices = {"read", "broadcast"}},
    {.name = "load.strict",
     .about = "Whether a tensor that the checkpoint does not have is an error, or left alone",
     .form = KeyForm::boolean,
     .target = SHARDMARK_TARGET(load.strict)},
    {.name = "load.sieve_gap",
     .about = "Largest gap to read across; acts with io = direct only",
     .form = KeyForm::byte_size,
     .target = SHARDMARK_TARGET(load.sieve_gap)},
    {.name = "load.exchange",
     .about = "Whether ranks read what several want, or want in small pieces, together and once; "
              "acts with io = direct only",
     .form = KeyForm::choice,
     .target = SHARDMARK_TARGET(load.exchange),
     .choices = {"auto", "off", "node", "world"}},
    {.name = "load.from",
     .about =
         "A folder of checkpoints, or one step's folder, that the family load reads instead of "
         "a checkpoint of its own; never written to. A relative path counts from the working "
         "folder, or from that of the configuration",
     .form = KeyForm::text,
     .target = SHARDMARK_TARGET(load.from)},

    {.name = "reshard.saved_strategy",
     .about =
         "How the checkpoint of the family reshard was sharded; left out, as parallel.strategy",
     .form = KeyForm::text,
     .target = SHARDMARK_TARGET(reshard.saved_strategy)},
    {.name = "reshard.save_ranks",
     .about = "Ranks of the launch that save it, 0 for all",
     .form = KeyForm::integer,
     .target = SHARDMARK_TARGET(reshard.save_ranks),
     .minimum = 0,
     .maximum = max_ranks},
    {.name = "reshard.load_ranks",
     .about = "Ranks of the launch that load it, 0 for all",
     .form = KeyForm::integer,
     .target = SHARDMARK_TARGET(reshard.load_ranks),
     .minimum = 0,
     .maximum = max_ranks},

    {.name = "peers.fio",
     .about = "The program fio for the family peers; left out, as found on PATH",
     .form = KeyForm::text,
     .target = SHARDMARK_TARGET(peers.fio)},
    {.name = "peers.dcp",
     .about =
         "A Python with PyTorch, whose DCP the family peers plays; left out, a python3 that has it",
     .form = KeyForm::text,
     .target = SHARDMARK_TARGET(peers.dcp)},
    {.name = "peers.torch_save",
     .about = "A Python with PyTorch for torch.save; left out, a python3 that has it",
     .form = KeyForm::text,
     .target = SHARDMARK_TARGET(peers.torch_save)},
    {.name = "peers.safetensors",
     .about = "A Python with safetensors and PyTorch; left out, a python3 that has them",
     .form = KeyForm::text,
     .target = SHARDMARK_TARGET(peers.safetensors)},
    {.name = "peers.limit",
     .about = "Seconds after which another engine is ended and has no number; auto is 60, or ten "
              "times what its bytes are expected to take, whichever is more",
     .form = KeyForm::auto_seconds,
     .target = SHARDMARK_TARGET(peers.limit)},

    {.name = "run.ranks",
     .about = "Ranks that scripts/run starts, and the world of 'plan'",
     .form = KeyForm::integer,
     .target = SHARDMARK_TARGET(run.ranks),
     .minimum = 1,
     .maximum = max_ranks},
    {.name = "run.world",
     .about = "Ranks of a bigger world, 0 for the launched ones: hooks and plan play all of it, "
              "save and load write and read what its ranks of run.play do",
     .form = KeyForm::integer,
     .target = SHARDMARK_TARGET(run.world),
     .minimum = 0,
     .maximum = max_virtual_ranks},
    {.name = "run.play",
     .about = "Which ranks of run.world the launched ones are, as in 0-3,256-259; left out, the "
              "first ones",
     .form = KeyForm::rank_list,
     .target = SHARDMARK_TARGET(run.play)},
    {.name = "run.benchmarks",
     .about = "Benchmark families to run",
     .form = KeyForm::choice_list,
     .target = SHARDMARK_TARGET(run.benchmarks),
     .choices = family_names()},
    {.name = "run.repetitions",
     .about = "Samples of each case",
     .form = KeyForm::integer,
     .target = SHARDMARK_TARGET(run.repetitions),
     .minimum = 1,
     .maximum = 100000},
    {.name = "run.warmup",
     .about = "Rounds before the first sample",
     .form = KeyForm::integer,
     .target = SHARDMARK_TARGET(run.warmup),
     .minimum = 0,
     .maximum = 100000},
    {.name = "run.cold_read",
     .about = "Drop the page cache before each timed read",
     .form = KeyForm::boolean,
     .target = SHARDMARK_TARGET(run.cold_read)},
    {.name = "run.verify",
     .about = "How much of each timed save and load is read back and compared",
     .form = KeyForm::choice,
     .target = SHARDMARK_TARGET(run.verify),
     .choices = {"full", "sample", "none"}},
    {.name = "run.interference",
     .about = "Compute and all-reduce while a save of storage.async is under way",
     .form = KeyForm::boolean,
     .target = SHARDMARK_TARGET(run.interference)},
    {.name = "run.keep",
     .about = "Checkpoints to leave behind",
     .form = KeyForm::integer,
     .target = SHARDMARK_TARGET(run.keep)},
    {.name = "run.deadline",
     .about =
         "Seconds after which a save, a load or one repetition of a case is late, and the ranks "
         "that hold it up are named; auto is 60, or ten times what its bytes are expected to "
         "take, whichever is more",
     .form = KeyForm::auto_seconds,
     .target = SHARDMARK_TARGET(run.deadline)},
    {.name = "run.late",
     .about = "Past run.deadline: end all ranks with exit code 3, or warn and go on",
     .form = KeyForm::choice,
     .target = SHARDMARK_TARGET(run.late),
     .choices = {"end", "warn"}},
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

}  // namespace shardmark::bench
