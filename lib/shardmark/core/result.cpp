// SPDX-License-Identifier: Apache-2.0
#include "shardmark/core/result.hpp"

#include <string_view>

namespace shardmark {

int exit_code(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::invalid_argument:
    case ErrorCode::not_found:
    case ErrorCode::already_exists:
    case ErrorCode::unsupported:
    case ErrorCode::mismatch:
      return 2;
    case ErrorCode::data_loss:
    case ErrorCode::io_error:
    case ErrorCode::no_space:
    case ErrorCode::internal:
      return 1;
  }
  return 1;
}

std::string_view error_code_name(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::invalid_argument:
      return "invalid argument";
    case ErrorCode::not_found:
      return "not found";
    case ErrorCode::already_exists:
      return "already exists";
    case ErrorCode::unsupported:
      return "unsupported";
    case ErrorCode::mismatch:
      return "mismatch";
    case ErrorCode::data_loss:
      return "damaged data";
    case ErrorCode::io_error:
      return "I/O error";
    case ErrorCode::no_space:
      return "no space";
    case ErrorCode::internal:
      return "internal error";
  }
  return "error";
}

}  // namespace shardmark
