# What an installation consists of: the library, the headers, the CMake package, the pkg-config file. All of it may be
# moved as a whole.
include(CMakePackageConfigHelpers)

set(qadataswap_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/QADataSwap")

install(TARGETS qadataswap qadataswap_with_arrow EXPORT QADataSwapTargets
  RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}"
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
if(NOT BUILD_SHARED_LIBS)
  get_filename_component(qadataswap_archive_name "${qadataswap_installed_archive}" NAME)
  install(FILES "${qadataswap_rust_ARCHIVE}" DESTINATION "${CMAKE_INSTALL_LIBDIR}" RENAME "${qadataswap_archive_name}")
endif()
install(DIRECTORY include/ DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DATADIR}/licenses/qadataswap")

# ---- find_package(QADataSwap) -----------------------------------------------------------------------------------

install(EXPORT QADataSwapTargets NAMESPACE QADataSwap:: DESTINATION "${qadataswap_package_dir}")
configure_package_config_file(cmake/QADataSwapConfig.cmake.in "${CMAKE_CURRENT_BINARY_DIR}/QADataSwapConfig.cmake"
  INSTALL_DESTINATION "${qadataswap_package_dir}")
write_basic_package_version_file("${CMAKE_CURRENT_BINARY_DIR}/QADataSwapConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES
  "${CMAKE_CURRENT_BINARY_DIR}/QADataSwapConfig.cmake"
  "${CMAKE_CURRENT_BINARY_DIR}/QADataSwapConfigVersion.cmake"
  cmake/QADataSwapArrow.cmake
  DESTINATION "${qadataswap_package_dir}")

# ---- pkg-config qadataswap --------------------------------------------------------------------------------------

# The file states where it lies relative to the prefix, so it moves with the installation.
file(RELATIVE_PATH qadataswap_pc_prefix "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig" "${CMAKE_INSTALL_PREFIX}")
string(REGEX REPLACE "/$" "" qadataswap_pc_prefix "${qadataswap_pc_prefix}")
cmake_path(APPEND qadataswap_pc_libdir "\${prefix}" "${CMAKE_INSTALL_LIBDIR}")
cmake_path(APPEND qadataswap_pc_includedir "\${prefix}" "${CMAKE_INSTALL_INCLUDEDIR}")
set(qadataswap_pc_libs "-lqadataswap")
if(NOT BUILD_SHARED_LIBS)
  # There is nothing but the static library, so its needs are everybody's, not only those of `--static`.
  list(JOIN qadataswap_system_libraries " -l" qadataswap_pc_system_libs)
  string(APPEND qadataswap_pc_libs " -lqadataswap_rust -lstdc++ -l${qadataswap_pc_system_libs} -pthread")
endif()
configure_file(cmake/qadataswap.pc.in "${CMAKE_CURRENT_BINARY_DIR}/qadataswap.pc" @ONLY)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/qadataswap.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
