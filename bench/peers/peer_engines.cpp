// SPDX-License-Identifier: Apache-2.0
#include "bench/peers/peer_engines.hpp"

#include <fmt/format.h>

#include <variant>

#include "bench/config/config_key_table.hpp"
#include "bench/machine/own_script.hpp"
#include "bench/peers/peer_process.hpp"

namespace shardmark::bench {
namespace {

constexpr std::string_view section = "peers.";
constexpr double listing_limit_s = 120;

Result<std::string> find_adapters() {
  SHARDMARK_ASSIGN_OR_RETURN(const std::string executable, own_executable());
  return find_own_script("peer", executable);
}

/// Local, rank 0.
Result<std::string> list_engines(const std::map<std::string, std::string>& programs) {
  SHARDMARK_ASSIGN_OR_RETURN(const std::string script, find_adapters());
  std::vector<std::string> words = {python_for_scripts(), script, "list", "--json"};
  for (const auto& [key, program] : programs) {
    words.push_back(fmt::format("{}={}", key, program));
  }
  SHARDMARK_ASSIGN_OR_RETURN(PeerProcess process,
                             PeerProcess::start(std::move(words), peer_environment()));
  SHARDMARK_ASSIGN_OR_RETURN(std::string list, process.hear(listing_limit_s));
  SHARDMARK_RETURN_IF_ERROR(process.finish(listing_limit_s));
  return list;
}

}  // namespace

std::map<std::string, std::string> named_programs(const Config& config) {
  std::map<std::string, std::string> programs;
  Config mine = config;  // targets are mutable
  for (const ConfigKey& key : config_key_table()) {
    if (key.name.starts_with(section) && key.form == KeyForm::text) {
      const std::string& program = *std::get<std::string*>(key.target(mine));
      if (!program.empty()) {
        programs[std::string(key.name.substr(section.size()))] = program;
      }
    }
  }
  return programs;
}

Result<std::vector<PeerEngine>> find_engines(const std::map<std::string, std::string>& programs,
                                             const Communicator& comm) {
  Result<std::string> list = std::string();
  if (comm.is_root()) {
    list = list_engines(programs);
  }
  comm.quiet_barrier();
  SHARDMARK_RETURN_IF_ERROR(comm.agree(Status(list)));
  comm.broadcast(*list);
  return parse_engines(*list);
}

Result<std::vector<std::string>> adapter_words(const PeerEngine& engine) {
  SHARDMARK_ASSIGN_OR_RETURN(std::string script, find_adapters());
  return std::vector<std::string>{engine.python, std::move(script), "play", engine.name};
}

}  // namespace shardmark::bench
