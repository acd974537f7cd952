// SPDX-License-Identifier: Apache-2.0
#include "bench/machine/mpi_io.hpp"

#include <fmt/format.h>
#include <mpi.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>
#include <vector>

#include "shardmark/mpi/io_hints.hpp"
#include "shardmark/storage/probe/mount.hpp"

namespace shardmark::bench {
namespace {

constexpr const char* unknown = "unknown";

std::map<std::string, std::string> hints_of(MPI_Info info) {
  std::map<std::string, std::string> hints;
  int num_keys = 0;
  MPI_Info_get_nkeys(info, &num_keys);
  for (int n = 0; n < num_keys; ++n) {
    std::array<char, MPI_MAX_INFO_KEY + 1> key{};
    std::array<char, MPI_MAX_INFO_VAL + 1> value{};
    int found = 0;
    MPI_Info_get_nthkey(info, n, key.data());
    MPI_Info_get(info, key.data(), MPI_MAX_INFO_VAL, value.data(), &found);
    if (found != 0) {
      hints[key.data()] = value.data();
    }
  }
  return hints;
}

/// A control variable of MPI that is text or a number, as text.
std::optional<std::string> value_of(int index, MPI_Datatype type) {
  MPI_T_cvar_handle handle = MPI_T_CVAR_HANDLE_NULL;
  int count = 0;
  if (MPI_T_cvar_handle_alloc(index, nullptr, &handle, &count) != MPI_SUCCESS) {
    return std::nullopt;
  }
  std::optional<std::string> value;
  if (type == MPI_CHAR && count > 0) {
    std::vector<char> text(static_cast<std::size_t>(count) + 1);
    if (MPI_T_cvar_read(handle, text.data()) == MPI_SUCCESS) {
      value = text.data();
    }
  } else if (type == MPI_INT && count == 1) {
    int number = 0;
    if (MPI_T_cvar_read(handle, &number) == MPI_SUCCESS) {
      value = std::to_string(number);
    }
  }
  MPI_T_cvar_handle_free(&handle);
  return value;
}

/// The control variables that begin with `io`, by name.
std::map<std::string, std::string> io_variables() {
  std::map<std::string, std::string> variables;
  // Open MPI 4 takes this level for that of all of MPI from here on: the one that MPI has.
  int level = MPI_THREAD_SINGLE;
  MPI_Query_thread(&level);
  int provided = 0;
  if (MPI_T_init_thread(level, &provided) != MPI_SUCCESS) {
    return variables;
  }
  int num_variables = 0;
  MPI_T_cvar_get_num(&num_variables);
  for (int i = 0; i < num_variables; ++i) {
    std::array<char, 256> name{};
    int name_length = static_cast<int>(name.size());
    int description_length = 0;
    int verbosity = 0;
    int bind = 0;
    int scope = 0;
    MPI_Datatype type = MPI_DATATYPE_NULL;
    MPI_T_enum values = MPI_T_ENUM_NULL;
    if (MPI_T_cvar_get_info(i, name.data(), &name_length, &verbosity, &type, &values, nullptr,
                            &description_length, &bind, &scope) != MPI_SUCCESS ||
        bind != MPI_T_BIND_NO_OBJECT) {
      continue;
    }
    const std::string key(name.data());
    if (key == "io" || key.starts_with("io_")) {
      if (auto value = value_of(i, type)) {
        variables[key] = std::move(*value);
      }
    }
  }
  MPI_T_finalize();
  return variables;
}

std::string component_of(const std::map<std::string, std::string>& hints,
                         const std::string& directory) {
  // MPICH's ROMIO names its own hints on every file.
  if (std::ranges::any_of(hints,
                          [](const auto& hint) { return hint.first.starts_with("romio"); })) {
    return "romio";
  }
  const std::map<std::string, std::string> variables = io_variables();
  const auto selection = variables.find("io");
  if (selection == variables.end()) {
    return unknown;
  }
  constexpr std::string_view prefix = "io_";
  constexpr std::string_view suffix = "_priority";
  std::vector<IoComponent> components;
  for (const auto& [key, value] : variables) {
    std::string_view name = key;
    if (name.starts_with(prefix) && name.ends_with(suffix) && !name.ends_with("_delete_priority")) {
      name.remove_prefix(prefix.size());
      name.remove_suffix(suffix.size());
      components.push_back({name, std::atoi(value.c_str())});
    }
  }
  return component_in_force(selection->second, components, mount_of(directory).type);
}

}  // namespace

std::string component_in_force(std::string_view selection, std::span<const IoComponent> components,
                               std::string_view file_system) {
  const bool leaves_out = selection.starts_with('^');
  std::vector<std::string_view> named;
  for (std::string_view rest = selection.substr(leaves_out ? 1 : 0); !rest.empty();) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    named.push_back(rest.substr(0, comma));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  const IoComponent* best = nullptr;
  std::size_t choices = 0;
  for (const IoComponent& component : components) {
    const bool is_named = std::ranges::find(named, component.name) != named.end();
    if (!named.empty() && is_named == leaves_out) {
      continue;
    }
    ++choices;
    best = best == nullptr || component.priority > best->priority ? &component : best;
  }
  if (best == nullptr || (choices > 1 && file_system == "lustre")) {
    return unknown;
  }
  return std::string(best->name);
}

MpiIo mpi_io_of(const std::string& directory, const std::map<std::string, std::string>& hints) {
  MpiIo io{unknown, {}};
  const auto asked = IoHints::make(hints);
  if (!asked) {
    return io;
  }
  const std::string path = fmt::format("{}/.shardmark-hints-{}", directory, getpid());
  MPI_File file = MPI_FILE_NULL;
  const int mode = MPI_MODE_CREATE | MPI_MODE_WRONLY | MPI_MODE_DELETE_ON_CLOSE;
  if (MPI_File_open(MPI_COMM_SELF, path.c_str(), mode, asked->get(), &file) != MPI_SUCCESS) {
    return io;
  }
  MPI_Info info = MPI_INFO_NULL;
  if (MPI_File_get_info(file, &info) == MPI_SUCCESS && info != MPI_INFO_NULL) {
    io.hints = hints_of(info);
    MPI_Info_free(&info);
  }
  MPI_File_close(&file);
  io.component = component_of(io.hints, directory);
  return io;
}

}  // namespace shardmark::bench
