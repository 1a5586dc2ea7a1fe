# Turns cargo's dep-info file, which speaks of the library, into a depfile that speaks of CMake's stamp.
#
#   cmake -DDEP_INFO=<cargo's .d> -DTARGET=<file> -DDEPFILE=<file to write> -P DepInfo.cmake
#
# Cargo writes a line for each thing it made, every one with the same sources: `<made>: <source> <source> ...`, blanks
# in paths escaped by a backslash. The sources of the first line are kept.
cmake_minimum_required(VERSION 3.22)

file(READ "${DEP_INFO}" text)
string(REGEX REPLACE "\n.*" "" line "${text}")
string(FIND "${line}" ": " colon)
if(colon LESS 0)
  message(FATAL_ERROR "${DEP_INFO} is no dep-info file.")
endif()
string(SUBSTRING "${line}" ${colon} -1 sources)
string(REPLACE " " "\\ " target "${TARGET}")
file(WRITE "${DEPFILE}" "${target}${sources}\n")
