// SPDX-License-Identifier: Apache-2.0
#include "shardmark/mpi/communicator.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <climits>
#include <cstdio>
#include <exception>
#include <thread>
#include <utility>

#include "shardmark/core/progress.hpp"
#include "shardmark/mpi/mpi_call.hpp"

namespace shardmark {
namespace {

// MPI counts are ints: longer messages go in pieces.
constexpr std::size_t piece_bytes = std::size_t{1} << 30;

template <typename Transfer>
void for_each_piece(std::size_t num_bytes, const Transfer& transfer) {
  for (std::size_t done = 0; done < num_bytes; done += piece_bytes) {
    transfer(done, static_cast<int>(std::min(piece_bytes, num_bytes - done)));
  }
}

}  // namespace

Communicator::Communicator(MPI_Comm comm) : comm_(comm) {
  MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN);
  MPI_Comm_rank(comm_, &rank_);
  MPI_Comm_size(comm_, &size_);
}

Result<Communicator> Communicator::duplicate(MPI_Comm parent) {
  const ScopedWait wait;
  MPI_Comm comm = MPI_COMM_NULL;
  SHARDMARK_RETURN_IF_ERROR(mpi_call(MPI_Comm_dup(parent, &comm), "MPI_Comm_dup"));
  return Communicator(comm);
}

Communicator Communicator::of_ranks(std::span<const std::int32_t> ranks) const {
  const ScopedWait wait;
  constexpr int tag = 1;
  MPI_Group all = MPI_GROUP_NULL;
  MPI_Group some = MPI_GROUP_NULL;
  MPI_Comm comm = MPI_COMM_NULL;
  check(MPI_Comm_group(comm_, &all), "MPI_Comm_group");
  check(MPI_Group_incl(all, static_cast<int>(ranks.size()), ranks.data(), &some), "MPI_Group_incl");
  check(MPI_Comm_create_group(comm_, some, tag, &comm), "MPI_Comm_create_group");
  check(MPI_Group_free(&some), "MPI_Group_free");
  check(MPI_Group_free(&all), "MPI_Group_free");
  return Communicator(comm);
}

Result<Communicator> Communicator::split(const Communicator& parent, int color) {
  const ScopedWait wait;
  MPI_Comm comm = MPI_COMM_NULL;
  SHARDMARK_RETURN_IF_ERROR(
      mpi_call(MPI_Comm_split(parent.handle(), color, parent.rank(), &comm), "MPI_Comm_split"));
  return Communicator(comm);
}

Result<Communicator> Communicator::split_by_node(const Communicator& parent) {
  const ScopedWait wait;
  MPI_Comm comm = MPI_COMM_NULL;
  SHARDMARK_RETURN_IF_ERROR(mpi_call(MPI_Comm_split_type(parent.handle(), MPI_COMM_TYPE_SHARED,
                                                         parent.rank(), MPI_INFO_NULL, &comm),
                                     "MPI_Comm_split_type"));
  return Communicator(comm);
}

Communicator::Communicator(Communicator&& other) noexcept
    : comm_(std::exchange(other.comm_, MPI_COMM_NULL)),
      rank_(other.rank_),
      size_(other.size_),
      on_one_node_(other.on_one_node_) {}

Communicator::~Communicator() {
  // Where an exception unwinds, whoever catches it ends the job and says why.
  SHARDMARK_ASSERT(comm_ == MPI_COMM_NULL || std::uncaught_exceptions() > 0,
                   "Communicator destroyed without close()");
}

void Communicator::close() {
  if (comm_ != MPI_COMM_NULL) {
    MPI_Comm_free(&comm_);
  }
}

void Communicator::check(int return_code, const char* function) const {
  if (const Status status = mpi_call(return_code, function); !status) {
    std::fprintf(stderr, "shardmark: rank %d: %s\n", rank_, status.error().message.c_str());
    MPI_Abort(MPI_COMM_WORLD, 1);
  }
}

bool Communicator::on_one_node() const {
  if (!on_one_node_) {
    const ScopedWait wait;
    MPI_Comm node = MPI_COMM_NULL;
    int size = 0;
    check(MPI_Comm_split_type(comm_, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &node),
          "MPI_Comm_split_type");
    check(MPI_Comm_size(node, &size), "MPI_Comm_size");
    check(MPI_Comm_free(&node), "MPI_Comm_free");
    on_one_node_ = size == size_;
  }
  return *on_one_node_;
}

void Communicator::barrier() const {
  const ScopedWait wait;
  check(MPI_Barrier(comm_), "MPI_Barrier");
}

void Communicator::quiet_barrier() const {
  const ScopedWait wait;
  MPI_Request request = MPI_REQUEST_NULL;
  check(MPI_Ibarrier(comm_, &request), "MPI_Ibarrier");
  for (int done = 0; done == 0;) {
    check(MPI_Test(&request, &done, MPI_STATUS_IGNORE), "MPI_Test");
    if (done == 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
}

Status Communicator::agree(const Status& local) const {
  const ScopedWait wait;
  int lowest = local ? INT_MAX : rank_;
  check(MPI_Allreduce(MPI_IN_PLACE, &lowest, 1, MPI_INT, MPI_MIN, comm_), "MPI_Allreduce");
  if (lowest == INT_MAX) {
    return {};
  }
  Error error;
  std::array<int, 2> code_and_rank = {};
  if (rank_ == lowest) {
    error = local.error();
    // Agreed before: the rank that failed first stays the culprit.
    code_and_rank = {static_cast<int>(error.code), error.rank < 0 ? lowest : error.rank};
  }
  check(MPI_Bcast(code_and_rank.data(), 2, MPI_INT, lowest, comm_), "MPI_Bcast");
  error.code = static_cast<ErrorCode>(code_and_rank[0]);
  error.rank = code_and_rank[1];
  broadcast(error.message, lowest);
  return error;
}

void Communicator::all_reduce(std::span<double> values, MPI_Op op) const {
  const ScopedWait wait;
  check(MPI_Allreduce(MPI_IN_PLACE, values.data(), static_cast<int>(values.size()), MPI_DOUBLE, op,
                      comm_),
        "MPI_Allreduce");
}

void Communicator::all_reduce(std::span<std::int64_t> values, MPI_Op op) const {
  const ScopedWait wait;
  for_each_piece(values.size(), [&](std::size_t done, int count) {
    check(MPI_Allreduce(MPI_IN_PLACE, values.data() + done, count, MPI_INT64_T, op, comm_),
          "MPI_Allreduce");
  });
}

void Communicator::all_reduce(std::span<std::uint64_t> values, MPI_Op op) const {
  const ScopedWait wait;
  for_each_piece(values.size(), [&](std::size_t done, int count) {
    check(MPI_Allreduce(MPI_IN_PLACE, values.data() + done, count, MPI_UINT64_T, op, comm_),
          "MPI_Allreduce");
  });
}

double Communicator::all_reduce(double value, MPI_Op op) const {
  all_reduce(std::span(&value, 1), op);
  return value;
}

std::int64_t Communicator::all_reduce(std::int64_t value, MPI_Op op) const {
  all_reduce(std::span(&value, 1), op);
  return value;
}

void Communicator::broadcast_bytes(std::byte* data, std::size_t num_bytes, int root) const {
  const ScopedWait wait;
  for_each_piece(num_bytes, [&](std::size_t done, int count) {
    check(MPI_Bcast(data + done, count, MPI_BYTE, root, comm_), "MPI_Bcast");
  });
}

template <typename Container>
void Communicator::broadcast_sized(Container& values, int root) const {
  const ScopedWait wait;
  std::uint64_t size = values.size();
  check(MPI_Bcast(&size, 1, MPI_UINT64_T, root, comm_), "MPI_Bcast");
  values.resize(size);
  broadcast_bytes(reinterpret_cast<std::byte*>(values.data()),
                  size * sizeof(typename Container::value_type), root);
}

void Communicator::broadcast(std::vector<std::byte>& bytes, int root) const {
  broadcast_sized(bytes, root);
}

void Communicator::broadcast(std::string& text, int root) const {
  broadcast_sized(text, root);
}

void Communicator::broadcast(std::vector<std::uint64_t>& words, int root) const {
  broadcast_sized(words, root);
}

void Communicator::broadcast(std::span<std::byte> bytes, int root) const {
  broadcast_bytes(bytes.data(), bytes.size(), root);
}

std::vector<double> Communicator::gather(std::span<const double> values) const {
  const ScopedWait wait;
  std::vector<double> all(is_root() ? values.size() * static_cast<std::size_t>(size_) : 0);
  const auto count = static_cast<int>(values.size());
  check(MPI_Gather(values.data(), count, MPI_DOUBLE, all.data(), count, MPI_DOUBLE, 0, comm_),
        "MPI_Gather");
  return all;
}

std::vector<std::int64_t> Communicator::gather(std::span<const std::int64_t> values) const {
  const ScopedWait wait;
  std::vector<std::int64_t> all(is_root() ? values.size() * static_cast<std::size_t>(size_) : 0);
  const auto count = static_cast<int>(values.size());
  check(MPI_Gather(values.data(), count, MPI_INT64_T, all.data(), count, MPI_INT64_T, 0, comm_),
        "MPI_Gather");
  return all;
}

void Communicator::send(std::span<const std::byte> bytes, int to, int tag) const {
  const ScopedWait wait;
  const std::uint64_t size = bytes.size();
  check(MPI_Send(&size, 1, MPI_UINT64_T, to, tag, comm_), "MPI_Send");
  for_each_piece(size, [&](std::size_t done, int count) {
    check(MPI_Send(bytes.data() + done, count, MPI_BYTE, to, tag, comm_), "MPI_Send");
  });
}

std::vector<std::byte> Communicator::recv(int from, int tag) const {
  const ScopedWait wait;
  std::uint64_t size = 0;
  check(MPI_Recv(&size, 1, MPI_UINT64_T, from, tag, comm_, MPI_STATUS_IGNORE), "MPI_Recv");
  std::vector<std::byte> bytes(size);
  for_each_piece(size, [&](std::size_t done, int count) {
    check(MPI_Recv(bytes.data() + done, count, MPI_BYTE, from, tag, comm_, MPI_STATUS_IGNORE),
          "MPI_Recv");
  });
  return bytes;
}

}  // namespace shardmark
