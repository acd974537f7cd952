// SPDX-License-Identifier: Apache-2.0
#include "shardmark/mpi/message_box.hpp"

#include <algorithm>
#include <new>
#include <thread>
#include <utility>

#include "shardmark/core/progress.hpp"
#include "shardmark/mpi/mpi_call.hpp"

namespace shardmark {
namespace {

/// As Communicator does: after a failed call no two ranks can be trusted to agree.
void check(int return_code, const char* function) {
  if (const Status status = mpi_call(return_code, function); !status) {
    abort_job(status.error().message.c_str());
  }
}

/// Whoever finds no memory for a message can neither take it nor tell others: they would wait for
/// ever.
template <typename Work>
auto with_memory(const Work& work) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    abort_job("a rank found no memory for a message of the exchange");
  }
}

}  // namespace

void part(MessageBox& messages, bool failed, int failure_tag) {
  for (int rank = 0; failed && rank < messages.size(); ++rank) {
    if (rank != messages.rank()) {
      messages.post(rank, failure_tag, {});
    }
  }
  while (!messages.all_taken()) {
    bool any = false;
    while (messages.take_any()) {
      any = true;
    }
    if (!any) {
      const ScopedWait wait;
      std::this_thread::sleep_for(MessageBox::nap);
    }
  }
}

Result<std::unique_ptr<MpiMessageBox>> MpiMessageBox::make(const Communicator& comm) {
  int provided = MPI_THREAD_SINGLE;
  MPI_Query_thread(&provided);
  Status enough;
  if (provided < MPI_THREAD_SERIALIZED) {
    enough = Error{ErrorCode::unsupported,
                   "an exchange between nodes needs a thread that may call MPI, and this program's "
                   "MPI_Init() or MPI_Init_thread() has not got leave for it; expected "
                   "MPI_THREAD_SERIALIZED or MPI_THREAD_MULTIPLE"};
  }
  SHARDMARK_RETURN_IF_ERROR(comm.agree(enough));
  SHARDMARK_ASSIGN_OR_RETURN(Communicator own, Communicator::duplicate(comm.handle()));
  return std::unique_ptr<MpiMessageBox>(new MpiMessageBox(std::move(own)));
}

MpiMessageBox::~MpiMessageBox() {
  comm_.close();
}

void MpiMessageBox::post(int to, int tag, std::vector<std::byte> bytes) {
  with_memory([&] {
    requests_.push_back(MPI_REQUEST_NULL);
    posted_.push_back(std::move(bytes));
  });
  const std::vector<std::byte>& kept = posted_.back();
  // Synchronous: complete once the receiver takes it, so that nothing piles up there unseen.
  check(MPI_Issend(kept.data(), static_cast<int>(kept.size()), MPI_BYTE, to, tag, comm_.handle(),
                   &requests_.back()),
        "MPI_Issend");
}

std::int64_t MpiMessageBox::pending_bytes() {
  if (!requests_.empty()) {
    auto done = with_memory([&] { return std::vector<int>(requests_.size()); });
    int count = 0;
    check(MPI_Testsome(static_cast<int>(requests_.size()), requests_.data(), &count, done.data(),
                       MPI_STATUSES_IGNORE),
          "MPI_Testsome");
    std::size_t left = 0;
    for (std::size_t i = 0; i < requests_.size(); ++i) {
      if (requests_[i] != MPI_REQUEST_NULL) {
        requests_[left] = requests_[i];
        std::swap(posted_[left++], posted_[i]);
      }
    }
    requests_.resize(left);
    posted_.resize(left);
  }
  std::int64_t pending = 0;
  for (const std::vector<std::byte>& bytes : posted_) {
    pending += static_cast<std::int64_t>(bytes.size());
  }
  return pending;
}

std::optional<int> MpiMessageBox::waiting() {
  int found = 0;
  MPI_Status status;
  check(MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, comm_.handle(), &found, &status), "MPI_Iprobe");
  return found != 0 ? std::optional(status.MPI_TAG) : std::nullopt;
}

std::optional<MessageBox::Message> MpiMessageBox::take_with(int tag) {
  int found = 0;
  int size = 0;
  MPI_Status status;
  MPI_Message handle = MPI_MESSAGE_NULL;
  check(MPI_Improbe(MPI_ANY_SOURCE, tag, comm_.handle(), &found, &handle, &status), "MPI_Improbe");
  if (found == 0) {
    return std::nullopt;
  }
  check(MPI_Get_count(&status, MPI_BYTE, &size), "MPI_Get_count");
  Message message{status.MPI_SOURCE, status.MPI_TAG, with_memory([&] {
                    return std::vector<std::byte>(static_cast<std::size_t>(size));
                  })};
  check(MPI_Mrecv(message.bytes.data(), size, MPI_BYTE, &handle, MPI_STATUS_IGNORE), "MPI_Mrecv");
  return message;
}

bool MpiMessageBox::all_taken() {
  if (done_) {
    return true;
  }
  if (barrier_ == MPI_REQUEST_NULL) {
    pending_bytes();
    if (!posted_.empty()) {
      return false;
    }
    check(MPI_Ibarrier(comm_.handle(), &barrier_), "MPI_Ibarrier");
  }
  int all = 0;
  check(MPI_Test(&barrier_, &all, MPI_STATUS_IGNORE), "MPI_Test");
  done_ = all != 0;
  return done_;
}

}  // namespace shardmark
