// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cerrno>

namespace shardmark {

/// True if this errno says that the file system lacks a call, or this form of it, and not that the
/// call went wrong: file systems agree on no one number for that.
constexpr bool says_missing(int error_number) noexcept {
  return error_number == ENOSYS || error_number == EOPNOTSUPP || error_number == ENOTSUP ||
         error_number == EINVAL || error_number == EPERM || error_number == ENOLCK ||
         error_number == ENOTTY;
}

}  // namespace shardmark
