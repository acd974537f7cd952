// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/mpi/communicator.hpp"

namespace shardmark {

/// Messages between ranks that do not know who will send them any: whoever has something posts it,
/// and nobody waits. For one thread of a rank.
class MessageBox {
 public:
  struct Message {
    int from = 0;
    int tag = 0;
    std::vector<std::byte> bytes;
  };

  virtual ~MessageBox() = default;

  virtual int rank() const noexcept = 0;
  virtual int size() const noexcept = 0;
  /// Not to itself. `tag` from 0 to max_tag.
  virtual void post(int to, int tag, std::vector<std::byte> bytes) = 0;
  /// Of what was posted, bytes of messages that nobody has begun to take.
  virtual std::int64_t pending_bytes() = 0;
  /// The tag of a message that has come, if there is one. Each look may cost a turn of the
  /// processor where it finds nothing.
  virtual std::optional<int> waiting() = 0;
  /// The next message with the tag, if one has come.
  virtual std::optional<Message> take(int tag) = 0;
  virtual std::optional<Message> take_any() = 0;
  /// To be asked again and again, with take_any() between: true once all ranks ask it and every
  /// message has been taken. Nothing may be posted after the first call.
  virtual bool all_taken() = 0;

  static constexpr int max_tag = 32767;  // what every MPI has
  /// MPI has no way to sleep until a message comes.
  static constexpr std::chrono::microseconds nap{100};
};

/// Every rank calls it once, when it has posted all. Leaves no message behind: what still comes is
/// thrown away. A rank that has failed by itself says so to all others with `failure_tag`, who may
/// wait for messages that will never come.
void part(MessageBox& messages, bool failed, int failure_tag);

/// Collective. A box of the ranks of `comm`, through a communicator of its own, so that nothing of
/// another box is ever taken.
class MpiMessageBox final : public MessageBox {
 public:
  /// The same status on every rank. Errors: unsupported where MPI does not let a thread beside its
  /// first call it while no other does (MPI_THREAD_SERIALIZED).
  static Result<std::unique_ptr<MpiMessageBox>> make(const Communicator& comm);
  ~MpiMessageBox() override;

  int rank() const noexcept override { return comm_.rank(); }
  int size() const noexcept override { return comm_.size(); }
  void post(int to, int tag, std::vector<std::byte> bytes) override;
  std::int64_t pending_bytes() override;
  std::optional<int> waiting() override;
  std::optional<Message> take(int tag) override { return take_with(tag); }
  std::optional<Message> take_any() override { return take_with(MPI_ANY_TAG); }
  bool all_taken() override;

 private:
  explicit MpiMessageBox(Communicator comm) : comm_(std::move(comm)) {}
  std::optional<Message> take_with(int tag);

  Communicator comm_;
  std::vector<MPI_Request> requests_;           // of what is posted
  std::vector<std::vector<std::byte>> posted_;  // by request
  MPI_Request barrier_ = MPI_REQUEST_NULL;
  bool done_ = false;
};

}  // namespace shardmark
