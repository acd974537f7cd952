// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/hdf5/library/hdf5_call.hpp"

#include <fmt/format.h>

#include <atomic>
#include <mutex>
#include <string>
#include <string_view>

namespace shardmark {
namespace {

std::atomic<bool> unusable = false;
std::atomic<std::int64_t> metadata_calls = 0;
std::atomic<bool> close_failed = false;

std::recursive_mutex& library_mutex() {
  static std::recursive_mutex instance;
  return instance;
}

herr_t keep_innermost(unsigned depth, const H5E_error2_t* entry, void* text) {
  if (depth == 0) {
    *static_cast<std::string*>(text) =
        fmt::format("{} ({})", entry->desc == nullptr ? "" : entry->desc,
                    entry->func_name == nullptr ? "" : entry->func_name);
  }
  return 0;
}

struct Search {
  const char* what;
  bool found;
};

herr_t look_for(unsigned /*depth*/, const H5E_error2_t* entry, void* data) {
  Search& search = *static_cast<Search*>(data);
  search.found =
      search.found || (entry->desc != nullptr &&
                       std::string_view(entry->desc).find(search.what) != std::string_view::npos);
  return 0;
}

}  // namespace

Hdf5Lock::Hdf5Lock() {
  library_mutex().lock();
}

Hdf5Lock::~Hdf5Lock() {
  library_mutex().unlock();
}

Status prepare_hdf5() {
  if (unusable) {
    return Error{ErrorCode::io_error, "HDF5 is not usable in this process after a failed write"};
  }
  // H5dont_atexit() fails where HDF5 is in use already, by the program around this library: then
  // how it ends is the program's own affair.
  static const Status ready = []() -> Status {
    static_cast<void>(H5dont_atexit());
    if (H5open() < 0 || H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr) < 0) {
      return Error{ErrorCode::io_error, "HDF5 cannot be made ready (H5open)"};
    }
    return {};
  }();
  return ready;
}

void note_hdf5_close(bool closed, bool in_file) noexcept {
  metadata_calls += in_file ? 1 : 0;
  if (!closed) {
    close_failed = true;
  }
}

Status close_hdf5_file(H5File& file, const char* path) {
  Status closed = hdf5_status(H5Fclose(file.release()), "H5Fclose", path);
  if (close_failed.exchange(false) && closed) {
    return Error{ErrorCode::io_error, fmt::format("HDF5 could not close an object of {}", path)};
  }
  return closed;
}

void note_hdf5_call(const char* function) noexcept {
  const std::string_view name(function);
  for (const std::string_view other : {"H5P", "H5S", "H5T", "H5E", "H5Dwrite", "H5Dread"}) {
    if (name.starts_with(other)) {
      return;
    }
  }
  ++metadata_calls;
}

std::int64_t hdf5_metadata_calls() noexcept {
  return metadata_calls;
}

void mark_hdf5_unusable() noexcept {
  unusable = true;
}

bool hdf5_unusable() noexcept {
  return unusable;
}

std::string hdf5_library_version() {
  unsigned major = 0;
  unsigned minor = 0;
  unsigned release = 0;
  // Any call makes the library ready, and after that its H5dont_atexit() fails: ours comes first.
  if (!prepare_hdf5() || H5get_libversion(&major, &minor, &release) < 0) {
    return "unknown";
  }
  return fmt::format("{}.{}.{}", major, minor, release);
}

bool hdf5_failed_in(const char* what) {
  Search search{what, false};
  return H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, look_for, &search) >= 0 && search.found;
}

Error hdf5_error(const char* function, const char* object) {
  std::string why;
  if (H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_innermost, &why) < 0 ||
      H5Eclear2(H5E_DEFAULT) < 0) {
    why += " (and HDF5 cannot tell more)";
  }
  const bool full = why.find("No space left") != std::string::npos ||
                    why.find("quota") != std::string::npos ||
                    why.find("File too large") != std::string::npos;
  return {full ? ErrorCode::no_space : ErrorCode::io_error,
          fmt::format("{} {}: {}", function, std::string_view(object).substr(0, 200), why)};
}

}  // namespace shardmark
