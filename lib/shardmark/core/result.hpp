// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "shardmark/core/assert.hpp"

namespace shardmark {

/// What kind of failure it was. The command line maps the first group to exit code 2 (the user can
/// mend the call) and the second to exit code 1 (the run, the files or the machine failed).
enum class ErrorCode {
  invalid_argument,  // arguments or configuration
  not_found,         // no such file, step, tensor, shard
  already_exists,    // the step is committed
  unsupported,       // unknown format version; not available in this version
  mismatch,          // shape or dtype of the checkpoint and of the program differ

  data_loss,  // checksum or value mismatch, damaged file
  io_error,   // a system or library call failed
  no_space,   // the file system is full or a limit is too low
  internal,   // a rank failed in a way that is nobody's input
};

/// 2 for what the caller can mend, 1 for what failed underneath.
int exit_code(ErrorCode code) noexcept;

/// Prefixes of messages and JSON, as in "not found".
std::string_view error_code_name(ErrorCode code) noexcept;

struct Error {
  ErrorCode code = ErrorCode::internal;
  std::string message;  // names the culprit, what was found and what was expected
  int rank = -1;        // the failing rank once ranks have agreed, else -1

  friend bool operator==(const Error&, const Error&) = default;
};

/// An expected failure is a value: either a T or an Error. Member names are std::expected's.
template <typename T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  // Implicit, so that `return value;` and `return Error{...};` read as they should.
  template <typename U = T>
  requires(std::is_constructible_v<T, U&&> && !std::is_same_v<std::remove_cvref_t<U>, Result> &&
           !std::is_same_v<std::remove_cvref_t<U>, Error>) Result(U&& value)
      : state_(std::in_place_index<0>, std::forward<U>(value)) {}            // NOLINT
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT

  bool has_value() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }

  T& value() & {
    SHARDMARK_ASSERT(has_value(), "value() of a failed Result");
    return *std::get_if<0>(&state_);
  }
  const T& value() const& {
    SHARDMARK_ASSERT(has_value(), "value() of a failed Result");
    return *std::get_if<0>(&state_);
  }
  // By value, so that `for (auto& x : f().value())` does not outlive what it walks.
  T value() && { return std::move(value()); }

  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T operator*() && { return std::move(value()); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const& {
    SHARDMARK_ASSERT(!has_value(), "error() of a successful Result");
    return *std::get_if<1>(&state_);
  }
  Error& error() & {
    SHARDMARK_ASSERT(!has_value(), "error() of a successful Result");
    return *std::get_if<1>(&state_);
  }

 private:
  std::variant<T, Error> state_;
};

/// Success, or an Error.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Error error) : error_(std::move(error)) {}  // NOLINT: `return Error{...};`
  template <typename T>
  explicit Status(const Result<T>& result) {
    if (!result) {
      error_ = result.error();
    }
  }

  bool has_value() const noexcept { return !error_; }
  explicit operator bool() const noexcept { return has_value(); }
  const Error& error() const {
    SHARDMARK_ASSERT(error_.has_value(), "error() of a successful Status");
    return *error_;
  }

 private:
  std::optional<Error> error_;
};

}  // namespace shardmark

/// Leaves the function with the error of `expression`, a Status or Result. For local code only:
/// collective code agrees first, so that no rank leaves alone.
#define SHARDMARK_RETURN_IF_ERROR(expression)                          \
  do {                                                                 \
    if (auto&& shardmark_status_ = (expression); !shardmark_status_) { \
      return shardmark_status_.error();                                \
    }                                                                  \
  } while (false)

#define SHARDMARK_CONCAT_(a, b) a##b
#define SHARDMARK_CONCAT(a, b) SHARDMARK_CONCAT_(a, b)

/// `SHARDMARK_ASSIGN_OR_RETURN(auto x, f());` takes the value out of a Result, or leaves with its
/// error.
#define SHARDMARK_ASSIGN_OR_RETURN(declaration, expression)                               \
  SHARDMARK_ASSIGN_OR_RETURN_(SHARDMARK_CONCAT(shardmark_result_, __LINE__), declaration, \
                              expression)
#define SHARDMARK_ASSIGN_OR_RETURN_(name, declaration, expression) \
  auto name = (expression);                                        \
  if (!name) {                                                     \
    return std::move(name.error());                                \
  }                                                                \
  declaration = std::move(*name)
