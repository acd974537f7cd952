// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/mpiio/mpiio_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "shardmark/core/progress.hpp"
#include "shardmark/mpi/io_hints.hpp"
#include "shardmark/mpi/mpi_call.hpp"
#include "shardmark/storage/posix/file.hpp"

namespace shardmark {
namespace {

// MPI counts are ints.
constexpr std::size_t max_count_bytes = std::size_t{1} << 29;

/// A rank that cannot open a file leaves the others waiting inside MPI_File_open (Open MPI 4.1).
Status can_open(const std::string& path, MpiioFile::Access access) {
  return Status(open_file(path, access == MpiioFile::Access::write ? O_WRONLY : O_RDONLY));
}

}  // namespace

Result<MpiioFile> MpiioFile::open(const std::string& path, Access access,
                                  const std::map<std::string, std::string>& hints,
                                  const Communicator& comm) {
  auto info = IoHints::make(hints);
  SHARDMARK_RETURN_IF_ERROR(comm.agree(info ? can_open(path, access) : Status(info)));
  MPI_File file = MPI_FILE_NULL;
  // Not for reading as well: a client of a file system writes back whole what it has read.
  const int mode = access == Access::write ? MPI_MODE_WRONLY : MPI_MODE_RDONLY;
  const int code = MPI_File_open(comm.handle(), path.c_str(), mode, info->get(), &file);
  const Status released = info->release();
  MpiioFile opened(path, file);
  const Status agreed =
      comm.agree(code == MPI_SUCCESS ? released : Status(opened.failed(code, "MPI_File_open")));
  if (!agreed) {
    opened.file_ = MPI_FILE_NULL;  // closing is collective: not where some ranks have no file
    return agreed.error();
  }
  return opened;
}

MpiioFile::MpiioFile(MpiioFile&& other) noexcept
    : path_(std::move(other.path_)), file_(std::exchange(other.file_, MPI_FILE_NULL)) {}

MpiioFile::~MpiioFile() {
  SHARDMARK_ASSERT(file_ == MPI_FILE_NULL, "MpiioFile destroyed without close()");
}

Error MpiioFile::failed(int return_code, const char* function) const {
  int error_class = MPI_SUCCESS;
  const Status classified = mpi_call(MPI_Error_class(return_code, &error_class), "MPI_Error_class");
  const Status status = mpi_call(return_code, function);
  const bool full = classified && (error_class == MPI_ERR_NO_SPACE || error_class == MPI_ERR_QUOTA);
  return {full ? ErrorCode::no_space : ErrorCode::io_error,
          fmt::format("{}: {}", path_, status.error().message)};
}

Status MpiioFile::write(std::span<const std::byte> bytes, std::int64_t offset) {
  while (!bytes.empty()) {
    const auto piece = bytes.first(std::min(bytes.size(), max_count_bytes));
    MPI_Status status;
    const int code = MPI_File_write_at(file_, offset, piece.data(), static_cast<int>(piece.size()),
                                       MPI_BYTE, &status);
    if (code != MPI_SUCCESS) {
      return failed(code, "MPI_File_write_at");
    }
    int count = 0;
    SHARDMARK_RETURN_IF_ERROR(mpi_call(MPI_Get_count(&status, MPI_BYTE, &count), "MPI_Get_count"));
    if (count <= 0) {
      return Error{
          ErrorCode::io_error,
          fmt::format("{}: MPI-IO wrote nothing at byte {} and reported no error", path_, offset)};
    }
    note_bytes_moved(count);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    offset += count;
  }
  return {};
}

Status MpiioFile::read(std::span<std::byte> bytes, std::int64_t offset) {
  while (!bytes.empty()) {
    const auto piece = bytes.first(std::min(bytes.size(), max_count_bytes));
    MPI_Status status;
    const int code = MPI_File_read_at(file_, offset, piece.data(), static_cast<int>(piece.size()),
                                      MPI_BYTE, &status);
    if (code != MPI_SUCCESS) {
      return failed(code, "MPI_File_read_at");
    }
    int count = 0;
    SHARDMARK_RETURN_IF_ERROR(mpi_call(MPI_Get_count(&status, MPI_BYTE, &count), "MPI_Get_count"));
    if (count <= 0) {
      return Error{ErrorCode::data_loss, fmt::format("{} ends at byte {}, {} more were expected",
                                                     path_, offset, bytes.size())};
    }
    note_bytes_moved(count);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    offset += count;
  }
  return {};
}

Status MpiioFile::sync() {
  const int code = MPI_File_sync(file_);
  return code == MPI_SUCCESS ? Status() : Status(failed(code, "MPI_File_sync"));
}

Status MpiioFile::close() {
  const int code = MPI_File_close(&file_);
  file_ = MPI_FILE_NULL;
  return code == MPI_SUCCESS ? Status() : Status(failed(code, "MPI_File_close"));
}

}  // namespace shardmark
