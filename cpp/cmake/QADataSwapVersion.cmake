# The project's version, which stands in one place: [workspace.package] of Cargo.toml.
#
#   qadataswap_read_version(<Cargo.toml> <variable>)      sets <variable> to "0.1.0"

function(qadataswap_read_version manifest variable)
  file(READ "${manifest}" text)
  if(NOT text MATCHES "\n\\[workspace\\.package\\]\n([^[]*)" OR
     NOT CMAKE_MATCH_1 MATCHES "(^|\n)version *= *\"([0-9]+\\.[0-9]+\\.[0-9]+)[^\"]*\"")
    message(FATAL_ERROR "${manifest} states no version under [workspace.package].")
  endif()
  set(${variable} "${CMAKE_MATCH_2}" PARENT_SCOPE)
  # A new version there configures anew.
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${manifest}")
endfunction()
