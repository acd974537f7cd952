# cmake -D SOURCE_DIR=... -D OUTPUT=... -P WriteCommit.cmake: a header with the commit that is built.
# Runs in every build; the header changes only when the commit or the dirty flag does.
find_program(GIT_EXECUTABLE git)
set(commit "unknown")
set(dirty "false")
if(GIT_EXECUTABLE)
  # Root builds the trees of others, and a tree without .git may lie in somebody else's repository.
  set(git ${GIT_EXECUTABLE} -c safe.directory=* -c core.fsmonitor=false -C ${SOURCE_DIR})
  execute_process(COMMAND ${git} rev-parse --show-prefix HEAD
    OUTPUT_VARIABLE found RESULT_VARIABLE failed ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(NOT failed AND found MATCHES "^\n?([0-9a-f]+)$")
    set(commit ${CMAKE_MATCH_1})
    execute_process(COMMAND ${git} status --porcelain --untracked-files=no
      OUTPUT_VARIABLE changes ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
    if(changes)
      set(dirty "true")
    endif()
  endif()
endif()
file(CONFIGURE OUTPUT ${OUTPUT} CONTENT [[
// SPDX-License-Identifier: Apache-2.0
#pragma once

#define SHARDMARK_COMMIT "@commit@"
#define SHARDMARK_DIRTY @dirty@
]] @ONLY)
