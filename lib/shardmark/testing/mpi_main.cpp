// SPDX-License-Identifier: Apache-2.0
// Google Test main for tests that run on several ranks: rank 0 reports, the others speak only of
// failures, and a failure on any rank is the job's.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdio>

#include "shardmark/mpi/environment.hpp"
#include "shardmark/testing/mpi_world.hpp"

namespace shardmark::testing {
namespace {

const Communicator* world_comm = nullptr;

class FailuresOnly : public ::testing::EmptyTestEventListener {
 public:
  explicit FailuresOnly(int rank) : rank_(rank) {}
  void OnTestPartResult(const ::testing::TestPartResult& result) override {
    if (result.failed()) {
      fmt::print(stderr, "[rank {}] {}:{}: {}\n", rank_,
                 result.file_name() == nullptr ? "" : result.file_name(), result.line_number(),
                 result.message());
    }
  }

 private:
  int rank_;
};

}  // namespace

const Communicator& world() {
  return *world_comm;
}

}  // namespace shardmark::testing

int main(int argc, char** argv) {
  namespace sm = shardmark;
  std::signal(SIGXFSZ, SIG_IGN);
  ::testing::InitGoogleTest(&argc, argv);
  auto environment = sm::MpiEnvironment::make();
  auto comm = sm::Communicator::duplicate(MPI_COMM_WORLD);
  if (!environment || !comm) {
    return 1;
  }
  sm::testing::world_comm = &*comm;
  auto& listeners = ::testing::UnitTest::GetInstance()->listeners();
  if (!comm->is_root()) {
    delete listeners.Release(listeners.default_result_printer());
    listeners.Append(new sm::testing::FailuresOnly(comm->rank()));
  }
  const int failed = RUN_ALL_TESTS();
  const auto anywhere = comm->all_reduce(std::int64_t{failed}, MPI_MAX);
  comm->close();
  environment->finalize();
  return anywhere == 0 ? 0 : 1;
}
