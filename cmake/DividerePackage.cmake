# What others find dividere by: the CMake package and the pkg-config files, for
# the build tree and for the install tree, and the install rules.
include(CMakePackageConfigHelpers)

# A binding that is not in the tree is left out.
set(DIVIDERE_HEADER_DIRS "")
foreach(folder include bindings/cpp/include)
  if(IS_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}/${folder}")
    list(APPEND DIVIDERE_HEADER_DIRS "${CMAKE_CURRENT_SOURCE_DIR}/${folder}")
  endif()
endforeach()
set(dividere_cmake_dir "${CMAKE_INSTALL_LIBDIR}/cmake/dividere")
set(dividere_pkgconfig_dir "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

# What the static library needs from the system. Older C libraries keep
# threads, timers and the loader in libraries of their own. The compiler adds its
# own library, in the form that fits: named here, the shared one, a program could
# not be linked with -static.
set(DIVIDERE_STATIC_LIBRARIES stdc++ util rt pthread m dl)
set(dividere_static_flags "")
foreach(library IN LISTS DIVIDERE_STATIC_LIBRARIES)
  string(APPEND dividere_static_flags " -l${library}")
endforeach()
string(STRIP "${dividere_static_flags}" dividere_static_flags)

# Installed: every path is worked out from where the package file lies, so that
# the whole prefix may be moved.
set(DIVIDERE_CONFIG_INCLUDE_DIRS "${CMAKE_INSTALL_FULL_INCLUDEDIR}")
set(DIVIDERE_CONFIG_LIBRARY_DIR "${CMAKE_INSTALL_FULL_LIBDIR}")
configure_package_config_file(cmake/dividereConfig.cmake.in
  "${CMAKE_CURRENT_BINARY_DIR}/install/dividereConfig.cmake"
  INSTALL_DESTINATION "${dividere_cmake_dir}"
  PATH_VARS DIVIDERE_CONFIG_INCLUDE_DIRS DIVIDERE_CONFIG_LIBRARY_DIR
  NO_CHECK_REQUIRED_COMPONENTS_MACRO)

file(RELATIVE_PATH dividere_pc_to_prefix
  "${CMAKE_INSTALL_PREFIX}/${dividere_pkgconfig_dir}" "${CMAKE_INSTALL_PREFIX}")
string(REGEX REPLACE "/$" "" dividere_pc_to_prefix "${dividere_pc_to_prefix}")
set(dividere_pc_prefix "\${pcfiledir}/${dividere_pc_to_prefix}")
set(dividere_pc_libdir "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
set(dividere_pc_cflags "-I\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
foreach(file dividere dividere-static)
  configure_file(cmake/${file}.pc.in "${CMAKE_CURRENT_BINARY_DIR}/install/${file}.pc" @ONLY)
endforeach()

# The build tree: the same files with its own, absolute paths.
set(PACKAGE_INIT "")
set(PACKAGE_DIVIDERE_CONFIG_INCLUDE_DIRS "${DIVIDERE_HEADER_DIRS}")
set(PACKAGE_DIVIDERE_CONFIG_LIBRARY_DIR "${DIVIDERE_LIBRARY_DIR}")
configure_file(cmake/dividereConfig.cmake.in
  "${CMAKE_CURRENT_BINARY_DIR}/dividereConfig.cmake" @ONLY)
write_basic_package_version_file("${CMAKE_CURRENT_BINARY_DIR}/dividereConfigVersion.cmake"
  COMPATIBILITY SameMajorVersion)

set(dividere_pc_prefix "${CMAKE_CURRENT_BINARY_DIR}")
set(dividere_pc_libdir "${DIVIDERE_LIBRARY_DIR}")
list(TRANSFORM DIVIDERE_HEADER_DIRS PREPEND "-I" OUTPUT_VARIABLE dividere_pc_cflags)
list(JOIN dividere_pc_cflags " " dividere_pc_cflags)
foreach(file dividere dividere-static)
  configure_file(cmake/${file}.pc.in "${CMAKE_CURRENT_BINARY_DIR}/pkgconfig/${file}.pc" @ONLY)
endforeach()

# The targets for this build's own tests and examples, which wait for cargo.
include("${CMAKE_CURRENT_BINARY_DIR}/dividereConfig.cmake")
add_dependencies(dividere::dividere dividere_libraries)
add_dependencies(dividere::static dividere_libraries)

install(FILES
  "${DIVIDERE_LIBRARY_DIR}/${DIVIDERE_SO}"
  "${DIVIDERE_LIBRARY_DIR}/${DIVIDERE_SONAME}"
  "${DIVIDERE_LIBRARY_DIR}/libdividere.so"
  DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE
    WORLD_READ WORLD_EXECUTE)
install(FILES "${DIVIDERE_LIBRARY_DIR}/libdividere.a" DESTINATION "${CMAKE_INSTALL_LIBDIR}")
foreach(folder IN LISTS DIVIDERE_HEADER_DIRS)
  install(DIRECTORY "${folder}/" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
    FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")
endforeach()
install(FILES
  "${CMAKE_CURRENT_BINARY_DIR}/install/dividereConfig.cmake"
  "${CMAKE_CURRENT_BINARY_DIR}/dividereConfigVersion.cmake"
  DESTINATION "${dividere_cmake_dir}")
install(FILES
  "${CMAKE_CURRENT_BINARY_DIR}/install/dividere.pc"
  "${CMAKE_CURRENT_BINARY_DIR}/install/dividere-static.pc"
  DESTINATION "${dividere_pkgconfig_dir}")
install(FILES LICENSE DESTINATION "${CMAKE_INSTALL_DOCDIR}")
