// SPDX-License-Identifier: Apache-2.0
#include "shardmark/checkpoint/save.hpp"

#include <memory>

#include "shardmark/checkpoint/save_protocol.hpp"

namespace shardmark {

Result<SaveReport> save(const StateDict& state_dict, const SaveOptions& options,
                        const Communicator& comm) {
  const std::unique_ptr<SaveProtocol> save = make_save_protocol(options, comm);
  Status done = save->begin(state_dict);
  if (done) {
    done = save->complete();
  }
  if (!done) {
    save->abandon();
    return done.error();
  }
  return save->report();
}

}  // namespace shardmark
