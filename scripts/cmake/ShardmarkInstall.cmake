# cmake --install: the library with its headers and CMake package, the command, the configurations.
include(CMakePackageConfigHelpers)
include(InstalledLibraries)
get_property(layers GLOBAL PROPERTY SHARDMARK_LAYERS)
install(TARGETS ${layers} shardmark shardmark_mpi_c shardmark_hdf5_c EXPORT shardmarkTargets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT shardmarkTargets NAMESPACE shardmark:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/shardmark)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/shardmarkConfig.cmake.in
  ${CMAKE_BINARY_DIR}/shardmarkConfig.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/shardmark)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/shardmarkConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/shardmarkConfig.cmake ${CMAKE_BINARY_DIR}/shardmarkConfigVersion.cmake
  ${CMAKE_CURRENT_LIST_DIR}/FindxxHash.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/shardmark)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/configs DESTINATION ${CMAKE_INSTALL_DATADIR}/shardmark)
if(SHARDMARK_BUILD_BENCH)
  shardmark_remember_libraries(shardmark_command)
  install(TARGETS shardmark_command RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  # What `shardmark torture` becomes, and what starts the engines of the family peers.
  set(scripts ${CMAKE_INSTALL_DATADIR}/shardmark/scripts)
  install(PROGRAMS ${CMAKE_SOURCE_DIR}/scripts/torture ${CMAKE_SOURCE_DIR}/scripts/peer DESTINATION ${scripts})
  install(FILES ${CMAKE_SOURCE_DIR}/scripts/shardmark_tools/__init__.py ${CMAKE_SOURCE_DIR}/scripts/shardmark_tools/entry.py
    ${CMAKE_SOURCE_DIR}/scripts/shardmark_tools/interpreter.py ${CMAKE_SOURCE_DIR}/scripts/shardmark_tools/refusal.py
    ${CMAKE_SOURCE_DIR}/scripts/shardmark_tools/stop_signals.py
    DESTINATION ${scripts}/shardmark_tools)
  foreach(room IN ITEMS launch peers results torture)
    install(DIRECTORY ${CMAKE_SOURCE_DIR}/scripts/shardmark_tools/${room} DESTINATION ${scripts}/shardmark_tools
      FILES_MATCHING PATTERN "*.py" PATTERN "*_test.py" EXCLUDE PATTERN "__pycache__" EXCLUDE)
  endforeach()
endif()
