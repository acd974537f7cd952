// SPDX-License-Identifier: Apache-2.0
#include "shardmark/checkpoint/mpi_plan_exchange.hpp"

namespace shardmark {
namespace {

constexpr int gather_tag = 1;
constexpr int scatter_tag = 2;

}  // namespace

Status MpiPlanExchange::gather(const Make& make, const Take& take) {
  // A rank whose message cannot be made sends an empty one, so that nobody waits; the agreement
  // tells why.
  auto made = make(rank_);
  Status status(made);
  const Bytes own = made ? std::move(*made) : Bytes();
  if (!comm_.is_root()) {
    comm_.send(own, 0, gather_tag);
    return comm_.agree(status);
  }
  if (status) {
    status = take(rank_, own);
  }
  for (int rank = 1; rank < comm_.size(); ++rank) {
    const Bytes bytes = comm_.recv(rank, gather_tag);
    if (status && !bytes.empty()) {
      status = take(rank, bytes);
    }
  }
  return comm_.agree(status);
}

Status MpiPlanExchange::scatter(const Make& make, const Take& take) {
  if (!comm_.is_root()) {
    const Bytes bytes = comm_.recv(0, scatter_tag);
    return comm_.agree(bytes.empty() ? Status() : take(rank_, bytes));
  }
  Status status;
  for (int rank = comm_.size() - 1; rank >= 0; --rank) {
    auto made = make(rank);
    if (status && !made) {
      status = Status(made);
    }
    const Bytes bytes = made ? std::move(*made) : Bytes();
    if (rank != 0) {
      comm_.send(bytes, rank, scatter_tag);
    } else if (status) {
      status = take(rank, bytes);
    }
  }
  return comm_.agree(status);
}

Status MpiPlanExchange::broadcast(Bytes& bytes) {
  comm_.broadcast(bytes);
  return {};
}

Status MpiPlanExchange::all_reduce(std::span<std::uint64_t> values, ReduceOp op) {
  switch (op) {
    case ReduceOp::sum:
      comm_.all_reduce(values, MPI_SUM);
      break;
    case ReduceOp::max:
      comm_.all_reduce(values, MPI_MAX);
      break;
    case ReduceOp::min:
      comm_.all_reduce(values, MPI_MIN);
      break;
    case ReduceOp::bit_or:
      comm_.all_reduce(values, MPI_BOR);
      break;
  }
  return {};
}

}  // namespace shardmark
