# Libraries of modules lie where no loader looks: what is installed remembers the folders that it was linked from, so that it
# starts in a job that has loaded no module.
function(shardmark_remember_libraries target)
  set_target_properties(${target} PROPERTIES INSTALL_RPATH_USE_LINK_PATH ON)
endfunction()
