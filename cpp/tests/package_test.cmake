# The installed package serves those who know nothing but its name. It is installed, shared and static, moved
# elsewhere, and used by projects of their own: through find_package() in C++ and C, through pkg-config, and as a
# subdirectory.
#
#   cmake -DSHARED=<build tree> -DSTATIC=<build tree> -DARROW_23=<folder of pyarrow> -DWORK=<folder to work in>
#         -P package_test.cmake
#
# ARROW_23 is the newest Arrow that compiles as C++17. The newest there is, which needs C++20, is that of the python3
# in PATH; nobody tells where.
cmake_minimum_required(VERSION 3.22...4.0)

set(consumer "${CMAKE_CURRENT_LIST_DIR}/consumer")
cmake_path(SET source_dir NORMALIZE "${CMAKE_CURRENT_LIST_DIR}/../..")

# ---- steps ------------------------------------------------------------------------------------------------------

# Runs a command, shows what it said only if it fails, and leaves that in the caller's `output`.
function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE said ERROR_VARIABLE said)
  if(NOT status EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "${command}\n${said}\nfailed: ${status}")
  endif()
  string(STRIP "${said}" said)
  set(output "${said}" PARENT_SCOPE)
endfunction()

# Configures a project, which is to fail with a text that matches.
function(refuse name source expected)
  execute_process(COMMAND "${CMAKE_COMMAND}" -G Ninja -S "${source}" -B "${WORK}/${name}" ${ARGN}
    RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  string(REGEX REPLACE "[ \n]+" " " output "${output}")
  if(status EQUAL 0 OR NOT output MATCHES "${expected}")
    message(FATAL_ERROR "${name} should have failed with \"${expected}\":\n${output}")
  endif()
  message(STATUS "${name}: refused")
endfunction()

# Configures a project, builds it and runs it.
function(consume name source expected)
  run("${CMAKE_COMMAND}" -G Ninja -S "${source}" -B "${WORK}/${name}" ${ARGN})
  run("${CMAKE_COMMAND}" --build "${WORK}/${name}")
  run("${WORK}/${name}/consumer")
  if(NOT output MATCHES "${expected}")
    message(FATAL_ERROR "${name} said \"${output}\" instead of \"${expected}\"")
  endif()
  message(STATUS "${name}: ${output}")
endfunction()

# Compiles and runs a C program with what pkg-config says.
function(consume_by_pkg_config name prefix)
  file(GLOB_RECURSE pc "${prefix}/*/qadataswap.pc")
  get_filename_component(pc_dir "${pc}" DIRECTORY)
  get_filename_component(libdir "${pc_dir}" DIRECTORY)
  set(pkg_config "${CMAKE_COMMAND}" -E env "PKG_CONFIG_PATH=${pc_dir}" pkg-config)
  run(${pkg_config} --cflags --libs "qadataswap >= 0.1")
  separate_arguments(flags UNIX_COMMAND "${output}")
  file(MAKE_DIRECTORY "${WORK}/${name}")
  run(cc -std=c99 -Wall -Wextra -Wpedantic -Werror "${consumer}/c/main.c" -o "${WORK}/${name}/consumer" ${flags})
  run("${CMAKE_COMMAND}" -E env "LD_LIBRARY_PATH=${libdir}" "${WORK}/${name}/consumer")
  message(STATUS "${name}: ${output}")
endfunction()

# ---- the package, shared and static -------------------------------------------------------------------------------

file(REMOVE_RECURSE "${WORK}")
foreach(kind IN ITEMS shared static)
  string(TOUPPER "${kind}" build)
  set(build "${${build}}")
  set(prefix "${WORK}/moved ${kind}")
  run("${CMAKE_COMMAND}" --install "${build}" --prefix "${WORK}/installed")
  file(RENAME "${WORK}/installed" "${prefix}")
  set(found "-DCMAKE_PREFIX_PATH=${prefix}")

  # Nothing of the place where it was built or installed is left in its files.
  file(GLOB_RECURSE texts "${prefix}/*.cmake" "${prefix}/*.pc")
  foreach(text IN LISTS texts)
    file(READ "${text}" content)
    foreach(place IN ITEMS "${WORK}" "${build}" "${source_dir}")
      string(FIND "${content}" "${place}" position)
      if(position GREATER_EQUAL 0)
        message(FATAL_ERROR "${text} mentions ${place}")
      endif()
    endforeach()
  endforeach()

  consume("${kind}-cxx17" "${consumer}" "Arrow 23\\..* C\\+\\+ 201703"
    "${found}" "-DQADATASWAP_PYARROW_DIR=${ARROW_23}" -DCMAKE_CXX_STANDARD=17)
  consume("${kind}-cxx20" "${consumer}" "Arrow .* C\\+\\+ 202002" "${found}")
  consume("${kind}-c" "${consumer}/c" "bytes" "${found}")
  consume_by_pkg_config("${kind}-pkg-config" "${prefix}")
endforeach()

# ---- what is not there is said so -----------------------------------------------------------------------------------

file(WRITE "${WORK}/source-arrow/CMakeLists.txt" [[
cmake_minimum_required(VERSION 3.22)
project(consumer LANGUAGES CXX)
find_package(QADataSwap 0.1 REQUIRED COMPONENTS arrow)
]])
refuse(no-arrow "${WORK}/source-arrow" "component arrow is missing" "${found}" "-DQADATASWAP_PYARROW_DIR=${WORK}")

file(WRITE "${WORK}/source-newer/CMakeLists.txt" [[
cmake_minimum_required(VERSION 3.22)
project(consumer LANGUAGES CXX)
find_package(QADataSwap 0.2 REQUIRED)
]])
refuse(newer-version "${WORK}/source-newer" "requested version \"0.2\"" "${found}")

# ---- as a subdirectory --------------------------------------------------------------------------------------------

consume(subdirectory "${consumer}/subdirectory" "Arrow 23"
  "-DQADATASWAP_SOURCE_DIR=${source_dir}" "-DQADATASWAP_PYARROW_DIR=${ARROW_23}" -DCMAKE_BUILD_TYPE=Debug)

file(REMOVE_RECURSE "${WORK}")
message(STATUS "package: all well")
