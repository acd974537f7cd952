// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dlfcn.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

namespace shardmark::interposed {

/// Marks what takes the C library's place; all else is hidden.
#define SHARDMARK_INTERPOSED extern "C" __attribute__((visibility("default")))

/// The next definition of a C function, the one that is stood before. `like` gives its type alone.
template <typename Function>
Function* next_call(const char* name, Function* /*like*/) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

/// A variable of the environment; empty if it is not set.
std::string variable(const char* name);

/// A value that is there to the end of the process: calls are made, and told of, after the
/// destructors of statics have run. A pointer: g++ 14 takes a reference for one into the argument.
template <typename Value>
const Value* kept(Value value) {
  static_assert(std::is_object_v<Value>);
  return new Value(std::move(value));
}

/// The rank, as launchers say it; empty if none does.
std::string rank_text();

/// The absolute path of a name in a folder that is open (AT_FDCWD: the current one), without
/// following links.
std::string absolute_path(int folder, const char* path);

/// The path of what is open; empty if it has none.
std::string path_of(int fd);

/// Whether a path lies at or below $SHARDMARK_TORTURE_ROOT: nothing else is looked at.
bool is_watched(const std::string& path);

/// Whether an address is of an MPI library or one of its components.
bool is_of_mpi(const void* address);

/// Of the clock that all processes of a machine share.
std::uint64_t now_ns();

/// Bytes to a file of this library's own, by system calls alone: nothing here is interposed again.
void append_to(const std::string& path, const void* data, std::size_t num_bytes);

}  // namespace shardmark::interposed
