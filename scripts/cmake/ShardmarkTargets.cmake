# One function a kind of target, so that warnings, include roots, header checks and launch flags are
# the same everywhere.

add_library(shardmark_warnings INTERFACE)
# In a batch a local name may meet another file's: only what is compiled file by file is asked for -Wshadow.
target_compile_options(shardmark_warnings INTERFACE
  -Wall -Wextra -Wpedantic $<$<NOT:$<BOOL:${CMAKE_UNITY_BUILD}>>:-Wshadow> -Wconversion -Wsign-conversion -Wnon-virtual-dtor
  -Woverloaded-virtual -Wcast-align -Wdouble-promotion
  $<$<BOOL:${SHARDMARK_WARNINGS_AS_ERRORS}>:-Werror>)

# shardmark_add_layer(NAME SOURCES a.cpp... HEADERS a.hpp... USES layer... LINK target... PRIVATE_LINK target...)
# One static library a layer. USES is the layer's row of the include table.
function(shardmark_add_layer name)
  cmake_parse_arguments(arg "" "" "SOURCES;HEADERS;USES;LINK;PRIVATE_LINK" ${ARGN})
  set(target shardmark_${name})
  add_library(${target} STATIC ${arg_SOURCES})
  add_library(shardmark::${name} ALIAS ${target})
  # VERIFY_INTERFACE_HEADER_SETS compiles every header alone.
  target_sources(${target} PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR}/lib FILES ${arg_HEADERS})
  set_target_properties(${target} PROPERTIES
    EXPORT_NAME ${name} POSITION_INDEPENDENT_CODE ON
    VERIFY_INTERFACE_HEADER_SETS ${SHARDMARK_BUILD_TESTS})
  list(TRANSFORM arg_USES PREPEND shardmark::)
  target_link_libraries(${target} PUBLIC ${arg_USES} ${arg_LINK} fmt::fmt
                        PRIVATE $<BUILD_INTERFACE:shardmark_warnings> ${arg_PRIVATE_LINK})
  target_compile_features(${target} PUBLIC cxx_std_20)
  set_property(GLOBAL APPEND PROPERTY SHARDMARK_LAYERS ${target})
endfunction()

# More ranks than cores, and root in containers, are normal for tests.
set(SHARDMARK_MPI_TEST_ENVIRONMENT
  OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
  OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_mpi_yield_when_idle=1
  # Open MPI 5 asks PRRTE instead.
  PRTE_ALLOW_RUN_AS_ROOT=1 PRTE_ALLOW_RUN_AS_ROOT_CONFIRM=1
  PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe PRTE_MCA_hwloc_default_binding_policy=none
  XDG_CACHE_HOME=${CMAKE_BINARY_DIR}/test-cache)
if(SHARDMARK_SANITIZE MATCHES "thread")
  # Open MPI is not instrumented. Libraries are named one by one: called_from_lib would hide our own races too.
  list(APPEND SHARDMARK_MPI_TEST_ENVIRONMENT
    TSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/scripts/dev/tsan.supp)
elseif(SHARDMARK_SANITIZE)
  # Open MPI leaks at exit; with the slow unwinder the list names its libraries only, ours stay visible.
  list(APPEND SHARDMARK_MPI_TEST_ENVIRONMENT ASAN_OPTIONS=fast_unwind_on_malloc=0
    LSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/scripts/dev/lsan.supp:print_suppressions=0)
endif()
# Where a library is preloaded, it comes before the sanitizer's own.
set(SHARDMARK_PRELOAD_TEST_ENVIRONMENT ${SHARDMARK_MPI_TEST_ENVIRONMENT})
# What is found of a file system under it is kept for nobody else.
list(TRANSFORM SHARDMARK_PRELOAD_TEST_ENVIRONMENT REPLACE "/test-cache$" "/preload-test-cache")
list(TRANSFORM SHARDMARK_PRELOAD_TEST_ENVIRONMENT
  REPLACE "^(ASAN_OPTIONS=.*)" "\\1:verify_asan_link_order=0")

# The place of the sources, for those test files alone that name it: all others compile alike in every checkout,
# so that a compiler cache serves them.
function(shardmark_define_source_dir)
  foreach(source IN LISTS ARGN)
    file(STRINGS ${source} named REGEX SHARDMARK_SOURCE_DIR LIMIT_COUNT 1)
    if(named)
      set_property(SOURCE ${source} APPEND PROPERTY COMPILE_DEFINITIONS SHARDMARK_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    endif()
  endforeach()
endfunction()

# shardmark_add_test(NAME SOURCES a_test.cpp... LINK target...): serial, in one process, no MPI started.
function(shardmark_add_test name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINK;ENVIRONMENT" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LINK} shardmark_warnings GTest::gmock GTest::gtest_main)
  shardmark_define_source_dir(${arg_SOURCES})
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS serial
    ENVIRONMENT "${SHARDMARK_MPI_TEST_ENVIRONMENT};${arg_ENVIRONMENT}")
endfunction()

# shardmark_add_mpi_test(NAME SOURCES a_mpi_test.cpp... LINK target... RANKS 1 2 3 4)
function(shardmark_add_mpi_test name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINK;RANKS" ${ARGN})
  if(NOT arg_RANKS)
    set(arg_RANKS 1 2 3 4)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LINK} shardmark_warnings shardmark_testing_mpi_main)
  shardmark_define_source_dir(${arg_SOURCES})
  foreach(ranks IN LISTS arg_RANKS)
    add_test(NAME ${name}.np${ranks}
      COMMAND ${MPIEXEC_EXECUTABLE} ${MPIEXEC_NUMPROC_FLAG} ${ranks} $<TARGET_FILE:${name}>)
    set_tests_properties(${name}.np${ranks} PROPERTIES LABELS mpi
      ENVIRONMENT "${SHARDMARK_MPI_TEST_ENVIRONMENT}")
  endforeach()
endfunction()

# shardmark_add_compile_failure(NAME SOURCE f.cpp LINK target... CASES A B): f.cpp must build as it is and
# must not build with any one of the cases defined; the message must hold the text after "EXPECT A:".
function(shardmark_add_compile_failure name)
  cmake_parse_arguments(arg "" "SOURCE" "LINK;CASES" ${ARGN})
  foreach(case IN LISTS arg_CASES ITEMS builds)
    set(target ${name}_${case})
    add_library(${target} OBJECT EXCLUDE_FROM_ALL ${arg_SOURCE})
    target_link_libraries(${target} PRIVATE ${arg_LINK})
    add_test(NAME compile.${target}
      COMMAND ${CMAKE_COMMAND} --build ${CMAKE_BINARY_DIR} --target ${target} --config $<CONFIG>)
    set_tests_properties(compile.${target} PROPERTIES LABELS compile RESOURCE_LOCK build_tree)
    if(NOT case STREQUAL "builds")
      target_compile_definitions(${target} PRIVATE ${case})
      file(STRINGS ${arg_SOURCE} expected REGEX "EXPECT ${case}:")
      if(NOT expected)
        message(FATAL_ERROR "${arg_SOURCE}: no line 'EXPECT ${case}: message'")
      endif()
      string(REGEX REPLACE ".*EXPECT ${case}: *" "" expected "${expected}")
      # The expected words are in the source too; only the compiler writes "error:" before them.
      set_tests_properties(compile.${target} PROPERTIES
        PASS_REGULAR_EXPRESSION "error: [^\n]*${expected}")
    endif()
  endforeach()
endfunction()
