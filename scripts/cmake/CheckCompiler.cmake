# The least compilers that the code is written for; an older one fails later, with pages of messages.
function(shardmark_check_compiler)
  set(least_GNU 12)
  set(least_Clang 14)
  set(least ${least_${CMAKE_CXX_COMPILER_ID}})
  if(least AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS least)
    message(FATAL_ERROR "Shardmark needs g++ 12 or clang 14 or newer, found ${CMAKE_CXX_COMPILER_ID} "
                        "${CMAKE_CXX_COMPILER_VERSION}: ${CMAKE_CXX_COMPILER}. Set CXX and CC to a newer one.")
  endif()
endfunction()
