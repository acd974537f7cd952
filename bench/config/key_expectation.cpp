// SPDX-License-Identifier: Apache-2.0
#include "bench/config/key_expectation.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdint>
#include <limits>

namespace shardmark::bench {

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
      return fmt::format(
          "bytes from {}{}, as an integer or like \"64KiB\", \"1MiB\", \"2GiB\"", key.minimum,
          key.multiple_of == 1
              ? std::string()
              : fmt::format(" to {}, a multiple of {}", key.maximum, key.multiple_of));
    case KeyForm::auto_size:
      return "\"auto\", or bytes as an integer or like \"64KiB\"";
    case KeyForm::auto_seconds:
      return "\"auto\", or seconds, a number above 0 and at most 1e9";
    case KeyForm::dtype:
      return "one of " + dtype_names();
    case KeyForm::hints:
      return "a table of MPI-IO hints, as in {romio_cb_write = \"enable\"}";
    case KeyForm::rank_list:
      return "ranks and runs of ranks, ascending, none twice, as in \"0-3,256-259\"";
    case KeyForm::traits:
      return "a table of what a probe finds, as in {coherent = \"no\", locks = \"node\"}";
    case KeyForm::rules:
      return "a table of placements by glob, as in {\"*.experts.*.weight\" = \"S(0)\", \"lm_head.weight\" = \"R\"}";
  }
  return {};
}

}  // namespace shardmark::bench
