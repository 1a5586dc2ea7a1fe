# Arrow C++, for those who use QADataSwap with arrow::Table. Used by QADataSwap's own build and, installed, by the
# package's configuration.
#
#   qadataswap_find_arrow()
#
# defines the imported target QADataSwap::arrow and sets
#
#   QADataSwap_arrow_FOUND, QADataSwap_arrow_NOT_FOUND_MESSAGE, QADataSwap_ARROW_VERSION, QADataSwap_ARROW_ORIGIN
#
# Arrow is looked for in this order; the first that is there is taken:
#
#   1. QADATASWAP_PYARROW_DIR   the folder of an installed Python package pyarrow, if given; then nothing else counts
#   2. find_package(Arrow)      Arrow C++ as its own packages install it; found through Arrow_DIR or CMAKE_PREFIX_PATH
#   3. the package pyarrow      of Python3_EXECUTABLE, or else of the python3 in PATH
#
# The wheels of pyarrow hold Arrow's headers and its library, though no CMake files. Programs linked with it need that
# same version of pyarrow when they run: CMake points the programs of a build tree to it, an installed program's
# rpath is its own business.
#
# From Arrow 24 on its headers need C++20, before that C++17: QADataSwap::arrow asks for what is needed.

# Reads the version of Arrow off the headers in `include_dir`, as far as `variable` and `so_variable`.
function(qadataswap_read_arrow_version include_dir variable so_variable)
  set(${variable} "" PARENT_SCOPE)
  set(${so_variable} "" PARENT_SCOPE)
  set(header "${include_dir}/arrow/util/config.h")
  if(EXISTS "${header}")
    file(STRINGS "${header}" lines REGEX "#define ARROW_(SO_)?VERSION_?(STRING)? \"")
    if(lines MATCHES "ARROW_VERSION_STRING \"([0-9]+\\.[0-9]+\\.[0-9]+)")
      set(${variable} "${CMAKE_MATCH_1}" PARENT_SCOPE)
    endif()
    if(lines MATCHES "ARROW_SO_VERSION \"([0-9.]+)\"")
      set(${so_variable} "${CMAKE_MATCH_1}" PARENT_SCOPE)
    endif()
  endif()
endfunction()

# Makes QADataSwap::arrow of the package in `directory`.
function(qadataswap_import_pyarrow directory)
  get_filename_component(directory "${directory}" ABSOLUTE)
  set(include_dir "${directory}/include")
  qadataswap_read_arrow_version("${include_dir}" version so_version)
  set(library "${directory}/libarrow.so.${so_version}")
  if(NOT version OR NOT so_version OR NOT EXISTS "${library}")
    set(QADataSwap_arrow_NOT_FOUND_MESSAGE
      "${directory} does not hold Arrow C++ (include/arrow and libarrow.so.*), as the wheels of pyarrow do."
      PARENT_SCOPE)
    return()
  endif()

  set(scope "")
  if(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL)
    set(scope GLOBAL)
  endif()
  add_library(QADataSwap::arrow SHARED IMPORTED ${scope})
  set_target_properties(QADataSwap::arrow PROPERTIES
    IMPORTED_LOCATION "${library}"
    IMPORTED_SONAME "libarrow.so.${so_version}"
    INTERFACE_INCLUDE_DIRECTORIES "${include_dir}")
  set(QADataSwap_ARROW_VERSION "${version}" PARENT_SCOPE)
  set(QADataSwap_ARROW_ORIGIN "${directory}" PARENT_SCOPE)
endfunction()

# Makes QADataSwap::arrow of the targets of Arrow's own package.
function(qadataswap_import_arrow_package)
  foreach(candidate IN ITEMS Arrow::arrow_shared Arrow::arrow_static)
    if(TARGET ${candidate})
      set(scope "")
      if(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL)
        set(scope GLOBAL)
      endif()
      add_library(QADataSwap::arrow INTERFACE IMPORTED ${scope})
      set_target_properties(QADataSwap::arrow PROPERTIES INTERFACE_LINK_LIBRARIES ${candidate})

      # The targets may come from elsewhere than find_package(); their headers know the version in any case.
      set(version "${Arrow_VERSION}")
      if(NOT version)
        get_target_property(include_dirs ${candidate} INTERFACE_INCLUDE_DIRECTORIES)
        foreach(include_dir IN LISTS include_dirs)
          if(NOT version)
            qadataswap_read_arrow_version("${include_dir}" version so_version)
          endif()
        endforeach()
      endif()
      set(QADataSwap_ARROW_VERSION "${version}" PARENT_SCOPE)
      set(QADataSwap_ARROW_ORIGIN "${candidate}" PARENT_SCOPE)
      return()
    endif()
  endforeach()
endfunction()

# Where Python would find pyarrow, without importing it; empty if nowhere.
function(qadataswap_ask_python variable)
  set(python "${Python3_EXECUTABLE}")
  if(NOT python)
    find_program(qadataswap_python python3 NO_CACHE)
    set(python "${qadataswap_python}")
  endif()
  set(directory "")
  if(python)
    execute_process(
      COMMAND "${python}" -c "import importlib.util as u; s = u.find_spec('pyarrow'); print(s.submodule_search_locations[0] if s else '')"
      OUTPUT_VARIABLE directory
      OUTPUT_STRIP_TRAILING_WHITESPACE
      ERROR_QUIET)
  endif()
  set(${variable} "${directory}" PARENT_SCOPE)
endfunction()

# A macro: what find_package(Arrow) sets belongs to the caller.
macro(qadataswap_find_arrow)
  set(QADataSwap_arrow_NOT_FOUND_MESSAGE
    "Install Arrow C++, or the Python package pyarrow and name its folder: -DQADATASWAP_PYARROW_DIR=<folder>.")
  if(NOT TARGET QADataSwap::arrow)
    if(QADATASWAP_PYARROW_DIR)
      qadataswap_import_pyarrow("${QADATASWAP_PYARROW_DIR}")
    else()
      if(NOT TARGET Arrow::arrow_shared AND NOT TARGET Arrow::arrow_static)
        find_package(Arrow CONFIG QUIET)
      endif()
      qadataswap_import_arrow_package()
      if(NOT TARGET QADataSwap::arrow)
        qadataswap_ask_python(qadataswap_pyarrow_dir)
        if(qadataswap_pyarrow_dir)
          qadataswap_import_pyarrow("${qadataswap_pyarrow_dir}")
        endif()
        unset(qadataswap_pyarrow_dir)
      endif()
    endif()
    if(TARGET QADataSwap::arrow)
      if(QADataSwap_ARROW_VERSION VERSION_GREATER_EQUAL 24)
        set_target_properties(QADataSwap::arrow PROPERTIES INTERFACE_COMPILE_FEATURES cxx_std_20)
      else()
        set_target_properties(QADataSwap::arrow PROPERTIES INTERFACE_COMPILE_FEATURES cxx_std_17)
      endif()
    endif()
  endif()
  set(QADataSwap_arrow_FOUND FALSE)
  if(TARGET QADataSwap::arrow)
    set(QADataSwap_arrow_FOUND TRUE)
  endif()
endmacro()
