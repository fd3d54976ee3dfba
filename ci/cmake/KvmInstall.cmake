# What `cmake --install` leaves for other projects: the two libraries with headers, CMake packages and pkg-config files, and the
# programs. kvmapi: the KVM API for C++. kvmmock: the mock, as kvmmock::mock for C++ and kvmmock::kvmmock (C ABI, shared) for all.
include(CMakePackageConfigHelpers)

install(TARGETS kvm_options kvmapi EXPORT kvmapi-targets)
install(TARGETS mock mock_vm mock_cpu mock_devices mock_profile mock_faults kvmmock_shared EXPORT kvmmock-targets
  PUBLIC_HEADER DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS kvmmock_preload LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS kvmmock kvm-conformance RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY kvmapi mock DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN "*.hpp" PATTERN "*.def"
  PATTERN preload EXCLUDE PATTERN bench EXCLUDE PATTERN fuzz EXCLUDE PATTERN test EXCLUDE PATTERN c EXCLUDE)

# Relative to the file, so that the tree can be installed or moved anywhere.
file(RELATIVE_PATH kvm_up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
set(KVM_PC_PREFIX "\${pcfiledir}/${kvm_up}")

foreach(package kvmapi kvmmock)
  set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/${package})
  install(EXPORT ${package}-targets NAMESPACE ${package}:: DESTINATION ${package_folder})
  configure_package_config_file(ci/cmake/${package}-config.cmake.in ${package}-config.cmake
    INSTALL_DESTINATION ${package_folder})
  write_basic_package_version_file(${package}-config-version.cmake COMPATIBILITY SameMajorVersion)
  install(FILES ${CMAKE_BINARY_DIR}/${package}-config.cmake ${CMAKE_BINARY_DIR}/${package}-config-version.cmake
    DESTINATION ${package_folder})
  configure_file(ci/cmake/${package}.pc.in ${package}.pc @ONLY)
  install(FILES ${CMAKE_BINARY_DIR}/${package}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()
