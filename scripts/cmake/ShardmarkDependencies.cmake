# Everything from outside, by find_package only. Clusters point CMAKE_PREFIX_PATH, MPI_HOME or
# HDF5_ROOT at their own modules; nothing is downloaded.
# The least versions are those of README's table.
if(BUILD_SHARED_LIBS)
  message(FATAL_ERROR "Shardmark's libraries are static only: configure without BUILD_SHARED_LIBS "
                      "(-DBUILD_SHARED_LIBS=OFF). They link into shared libraries: their code is position-independent.")
endif()
include(CheckCompiler)
shardmark_check_compiler()
find_package(MPI 3.1 REQUIRED COMPONENTS C)
set(HDF5_PREFER_PARALLEL ON)
find_package(HDF5 REQUIRED COMPONENTS C)
if(NOT HDF5_IS_PARALLEL)
  message(FATAL_ERROR "Shardmark needs parallel HDF5, but the one found is serial: ${HDF5_C_LIBRARIES}. "
                      "Set HDF5_ROOT to an HDF5 built with MPI (Debian: libhdf5-openmpi-dev).")
endif()
if(HDF5_VERSION AND HDF5_VERSION VERSION_LESS 1.10.5)
  message(FATAL_ERROR "Shardmark needs HDF5 1.10.5 or newer, found ${HDF5_VERSION}.")
endif()
include(CheckOneMpi)
shardmark_check_one_mpi()
find_package(fmt 9.0 REQUIRED CONFIG)
find_package(xxHash 0.8 REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED CONFIG)
if(SHARDMARK_BUILD_TESTS)
  find_package(GTest 1.12 REQUIRED CONFIG)
endif()
if(SHARDMARK_BUILD_BENCH)
  find_package(benchmark 1.7 REQUIRED CONFIG)
  find_package(CLI11 2.1 REQUIRED CONFIG)
  find_package(tomlplusplus 3.3 REQUIRED CONFIG)
endif()

add_library(shardmark_mpi_c INTERFACE)
add_library(shardmark::mpi_c ALIAS shardmark_mpi_c)
set_target_properties(shardmark_mpi_c PROPERTIES EXPORT_NAME mpi_c)
target_link_libraries(shardmark_mpi_c INTERFACE MPI::MPI_C)
# The C API only: the C++ bindings that Open MPI may still carry stay out of every translation unit.
target_compile_definitions(shardmark_mpi_c INTERFACE OMPI_SKIP_MPICXX MPICH_SKIP_MPICXX)

add_library(shardmark_hdf5_c INTERFACE)
add_library(shardmark::hdf5_c ALIAS shardmark_hdf5_c)
set_target_properties(shardmark_hdf5_c PROPERTIES EXPORT_NAME hdf5_c)
target_link_libraries(shardmark_hdf5_c INTERFACE ${HDF5_C_LIBRARIES})
target_include_directories(shardmark_hdf5_c SYSTEM INTERFACE
  $<BUILD_INTERFACE:${HDF5_C_INCLUDE_DIRS}>)
