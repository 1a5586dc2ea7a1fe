# A static library that cargo builds, as a part of a CMake build.
#
#   qadataswap_add_cargo_library(<target>
#     PACKAGE <package>          of the workspace; builds lib<package, with _ for ->.a
#     WORKSPACE <folder>         where the workspace's Cargo.toml and Cargo.lock are
#     DEPENDS <file>...)         what the outcome depends on besides the Rust sources: the manifests
#
# builds it with QADATASWAP_CARGO_PROFILE in QADATASWAP_CARGO_TARGET_DIR, and sets in the caller's scope
#
#   <target>_ARCHIVE             the library's path (with a generator expression for the configuration)
#   <target>_BRIDGE_INCLUDE_DIR  where cxx leaves the headers that it generates
#
# Who compiles or links with them calls add_dependencies(<its target> <target>).
#
# Cargo says in a dep-info file which sources went into the library. CMake reads it, so cargo runs when one of them
# has changed and not otherwise. What CMake checks is a stamp of its own, not the library: to touch a file in cargo's
# folder would make cargo take for new what is not.

find_program(QADATASWAP_CARGO cargo PATHS "$ENV{CARGO_HOME}/bin" "$ENV{HOME}/.cargo/bin" DOC "Rust's build tool")
mark_as_advanced(QADATASWAP_CARGO)
set(qadataswap_dep_info_script "${CMAKE_CURRENT_LIST_DIR}/DepInfo.cmake")

function(qadataswap_add_cargo_library target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "PACKAGE;WORKSPACE" "DEPENDS")
  if(NOT QADATASWAP_CARGO)
    message(FATAL_ERROR "QADataSwap's core is written in Rust, and there is no cargo in PATH or ~/.cargo/bin. "
      "Install Rust (https://rustup.rs), or say -DQADATASWAP_CARGO=<path>.")
  endif()

  set(profile "${QADATASWAP_CARGO_PROFILE}")
  if(NOT profile)
    set(profile "$<IF:$<CONFIG:Debug>,dev,release>")
    set(profile_dir "$<IF:$<CONFIG:Debug>,debug,release>")
  elseif(profile STREQUAL "dev" OR profile STREQUAL "test")
    set(profile_dir "debug")
  elseif(profile STREQUAL "bench")
    set(profile_dir "release")
  else()
    set(profile_dir "${profile}")
  endif()

  string(REPLACE "-" "_" crate "${arg_PACKAGE}")
  set(target_dir "${QADATASWAP_CARGO_TARGET_DIR}")
  if(NOT target_dir)
    set(target_dir "$ENV{CARGO_TARGET_DIR}")
  endif()
  if(NOT target_dir)
    set(target_dir "target")
  endif()
  cmake_path(ABSOLUTE_PATH target_dir BASE_DIRECTORY "${arg_WORKSPACE}" NORMALIZE)
  set(library "${target_dir}/${profile_dir}/lib${crate}")
  set(stamp "${CMAKE_CURRENT_BINARY_DIR}/${target}-$<CONFIG>.stamp")
  set(depfile "${CMAKE_CURRENT_BINARY_DIR}/${target}-$<CONFIG>.d")

  # Some crates bring C and C++ of their own. They take the system's compiler, as CMake does, unless another one is
  # named; to name the same one would not be the same to cargo, which would build those crates anew each time it is
  # run from here and by hand in turn.
  set(environment "")
  find_program(qadataswap_system_cxx c++ NO_CACHE)
  file(REAL_PATH "${qadataswap_system_cxx}" system_cxx)
  file(REAL_PATH "${CMAKE_CXX_COMPILER}" chosen_cxx)
  if(NOT system_cxx STREQUAL chosen_cxx)
    set(environment "CXX=${CMAKE_CXX_COMPILER}")
  endif()

  add_custom_command(
    OUTPUT "${stamp}"
    BYPRODUCTS "${library}.a"
    COMMAND "${CMAKE_COMMAND}" -E env ${environment}
      "${QADATASWAP_CARGO}" build --locked --package "${arg_PACKAGE}" --profile "${profile}"
      --manifest-path "${arg_WORKSPACE}/Cargo.toml" --target-dir "${target_dir}"
    COMMAND "${CMAKE_COMMAND}" "-DDEP_INFO=${library}.d" "-DTARGET=${stamp}" "-DDEPFILE=${depfile}"
      -P "${qadataswap_dep_info_script}"
    COMMAND "${CMAKE_COMMAND}" -E touch "${stamp}"
    DEPENDS "${arg_WORKSPACE}/Cargo.toml" "${arg_WORKSPACE}/Cargo.lock" ${arg_DEPENDS}
            "${qadataswap_dep_info_script}"
    DEPFILE "${depfile}"
    COMMENT "Building ${arg_PACKAGE} with cargo"
    USES_TERMINAL
    VERBATIM)
  add_custom_target(${target} DEPENDS "${stamp}")

  set(${target}_ARCHIVE "${library}.a" PARENT_SCOPE)
  set(${target}_BRIDGE_INCLUDE_DIR "${target_dir}/cxxbridge" PARENT_SCOPE)
endfunction()
