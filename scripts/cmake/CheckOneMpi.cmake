# An HDF5 that was built with another MPI than the program's would meet it inside MPI_File_open, as a crash or worse.

# What `library` says of itself (SONAME) or asks the loader for (NEEDED); empty where readelf cannot tell.
function(shardmark_read_dynamic_section library tag result)
  set(${result} "" PARENT_SCOPE)
  if(CMAKE_READELF AND EXISTS "${library}")
    execute_process(COMMAND ${CMAKE_READELF} -d "${library}" OUTPUT_VARIABLE section ERROR_QUIET RESULT_VARIABLE failed)
    if(NOT failed)
      string(REGEX MATCHALL "\\(${tag}\\)[^\n]*\\[[^]\n]*\\]" lines "${section}")
      list(TRANSFORM lines REPLACE ".*\\[(.*)\\]" "\\1")
      set(${result} "${lines}" PARENT_SCOPE)
    endif()
  endif()
endfunction()

# Stops where the HDF5 found needs an MPI library that is not the MPI found, naming both.
function(shardmark_check_one_mpi)
  set(own)
  foreach(library IN LISTS MPI_C_LIBRARIES)
    shardmark_read_dynamic_section("${library}" SONAME soname)
    list(APPEND own ${soname})
  endforeach()
  list(FILTER own INCLUDE REGEX "^libmpi")
  if(NOT own)
    return() # a static or a wrapped one: nothing to compare
  endif()
  foreach(library IN LISTS HDF5_C_LIBRARIES)
    shardmark_read_dynamic_section("${library}" NEEDED needed)
    list(FILTER needed INCLUDE REGEX "^libmpi(ch|cxx)?(_[a-z]+)?\\.so")
    foreach(mpi IN LISTS needed)
      if(NOT mpi IN_LIST own)
        message(FATAL_ERROR "HDF5 and the program would use two MPIs: ${library} needs ${mpi}, the MPI found is "
                            "${own} (${MPI_C_LIBRARIES}). Set HDF5_ROOT and MPI_HOME, or load modules, so that both "
                            "are of one MPI.")
      endif()
    endforeach()
  endforeach()
endfunction()
