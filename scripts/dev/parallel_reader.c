// SPDX-License-Identifier: Apache-2.0
// parallel_reader FILE: opens FILE through MPI-IO, as any parallel HDF5 program would, and reads every dataset of /tensors whole
// on every rank. Rank 0 prints a line for each: "read SUM NAME", SUM over its bytes of (position + 1) * byte modulo 2^64, or
// "failed 0 NAME" where HDF5 refuses. Exit code 0 if the file could be opened. No Shardmark code.
#include <hdf5.h>
#include <inttypes.h>
#include <mpi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static void quit(const char* what) {
  fprintf(stderr, "parallel_reader: %s\n", what);
  MPI_Abort(MPI_COMM_WORLD, 2);
}

// Of a dataset's bytes as they are stored; false where HDF5 does not read it.
static int sum_of(hid_t dataset, uint64_t* sum) {
  const hid_t type = H5Dget_type(dataset);
  const hid_t space = H5Dget_space(dataset);
  const size_t size = (size_t)H5Sget_simple_extent_npoints(space) * H5Tget_size(type);
  unsigned char* bytes = malloc(size + 1);
  if (bytes == NULL) {
    quit("no memory");
  }
  const int is_read = H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes) >= 0;
  *sum = 0;
  for (size_t i = 0; is_read && i < size; ++i) {
    *sum += (uint64_t)(i + 1) * bytes[i];
  }
  free(bytes);
  H5Sclose(space);
  H5Tclose(type);
  return is_read;
}

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  if (argc != 2) {
    quit("usage: parallel_reader FILE");
  }
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  const hid_t through_mpi = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_fapl_mpio(through_mpi, MPI_COMM_WORLD, MPI_INFO_NULL);
  const hid_t file = H5Fopen(argv[1], H5F_ACC_RDONLY, through_mpi);
  const hid_t tensors = file < 0 ? -1 : H5Gopen2(file, "tensors", H5P_DEFAULT);
  H5G_info_t info;
  if (tensors < 0 || H5Gget_info(tensors, &info) < 0) {
    quit("the file cannot be opened");
  }
  for (hsize_t i = 0; i < info.nlinks; ++i) {
    char name[4096];
    uint64_t sum = 0;
    if (H5Lget_name_by_idx(tensors, ".", H5_INDEX_NAME, H5_ITER_INC, i, name, sizeof name, H5P_DEFAULT) < 0) {
      quit("a name cannot be read");
    }
    const hid_t dataset = H5Dopen2(tensors, name, H5P_DEFAULT);
    const int is_read = dataset >= 0 && sum_of(dataset, &sum);
    if (rank == 0) {
      printf("%s %" PRIu64 " %s\n", is_read ? "read" : "failed", sum, name);
    }
    H5Dclose(dataset);
  }
  H5Gclose(tensors);
  H5Fclose(file);
  H5Pclose(through_mpi);
  MPI_Finalize();
  return 0;
}
