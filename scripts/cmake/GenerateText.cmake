# cmake -D PROGRAM=... -D WHAT=man -D OUTPUT=... -P GenerateText.cmake: what the built command says of itself.
# It starts no MPI and speaks on rank 0 only: a build inside a job is rank 0. Leaks are the tests' business.
foreach(variable IN ITEMS OMPI_COMM_WORLD_RANK OMPI_COMM_WORLD_SIZE PMIX_RANK PMI_RANK)
  unset(ENV{${variable}})
endforeach()
set(ENV{ASAN_OPTIONS} detect_leaks=0)
execute_process(COMMAND ${PROGRAM} --generate ${WHAT} OUTPUT_FILE ${OUTPUT} COMMAND_ERROR_IS_FATAL ANY)
