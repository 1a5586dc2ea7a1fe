# The shared library shows the functions that qadataswap.h declares, all of them and no other name, and it needs
# neither Arrow nor anything else beyond the system's own libraries.
#
#   cmake -DLIBRARY=<libqadataswap.so> -DHEADER=<qadataswap.h> -DNM=<nm> -DREADELF=<readelf> -P exports_test.cmake
cmake_minimum_required(VERSION 3.22)

file(READ "${HEADER}" text)
string(REGEX MATCHALL "QADATASWAP_EXPORT[^;(]*qads_[a-z_]+\\(" declarations "${text}")
set(declared "")
foreach(declaration IN LISTS declarations)
  string(REGEX MATCH "(qads_[a-z_]+)\\($" _ "${declaration}")
  list(APPEND declared "${CMAKE_MATCH_1}")
endforeach()
list(LENGTH declared count)
if(count EQUAL 0)
  message(FATAL_ERROR "no declaration found in ${HEADER}")
endif()

execute_process(COMMAND "${NM}" --dynamic --defined-only --format=posix "${LIBRARY}"
  OUTPUT_VARIABLE table COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "(^|\n)[^ \n]+" exported "${table}")
list(TRANSFORM exported STRIP)

set(missing ${declared})
list(REMOVE_ITEM missing ${exported})
set(surplus ${exported})
list(REMOVE_ITEM surplus ${declared})

execute_process(COMMAND "${READELF}" --dynamic --wide "${LIBRARY}"
  OUTPUT_VARIABLE dynamic COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "\\(NEEDED\\)[^\n]*" needed "${dynamic}")
list(TRANSFORM needed REPLACE ".*\\[(.*)\\].*" "\\1")
set(foreign ${needed})
list(FILTER foreign EXCLUDE REGEX "^(lib(c|m|dl|rt|util|pthread|gcc_s|stdc\\+\\+)|ld-linux[-a-z0-9_]*)\\.so(\\.[0-9]+)*$")

if(missing OR surplus OR foreign)
  message(FATAL_ERROR "declared and not exported: ${missing}\nexported and not declared: ${surplus}\n"
    "needed from elsewhere: ${foreign}")
endif()
message(STATUS "${count} functions exported; needs ${needed}")
