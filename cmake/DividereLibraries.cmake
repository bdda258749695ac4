# The libraries, made by cargo, and the imported targets dividere::dividere,
# dividere::static, dividere::cpp and dividere::cpp_static over them.
#
# Cargo decides what is out of date, so the target is run on every build; files
# that come out the same are left alone, and nothing is linked again for them.

find_program(DIVIDERE_CARGO cargo HINTS ENV CARGO_HOME "$ENV{HOME}/.cargo" PATH_SUFFIXES bin)
if(NOT DIVIDERE_CARGO)
  message(FATAL_ERROR "cargo was not found; run scripts/setup.sh, which says how to get it")
endif()

set(DIVIDERE_SO "libdividere.so.${PROJECT_VERSION}")
set(DIVIDERE_SONAME "libdividere.so.${PROJECT_VERSION_MAJOR}")
set(DIVIDERE_LIBRARY_DIR "${CMAKE_CURRENT_BINARY_DIR}/lib")

separate_arguments(dividere_cargo_flags UNIX_COMMAND "${DIVIDERE_CARGO_FLAGS}")

add_custom_target(dividere_libraries ALL
  COMMAND "${CMAKE_COMMAND}" -E env
    "CARGO=${DIVIDERE_CARGO}"
    "LD=${CMAKE_LINKER}" "OBJCOPY=${CMAKE_OBJCOPY}" "AR=${CMAKE_AR}"
    sh "${CMAKE_CURRENT_SOURCE_DIR}/cmake/build-libraries.sh"
      "${CMAKE_CURRENT_SOURCE_DIR}" "${DIVIDERE_CARGO_TARGET_DIR}"
      "${DIVIDERE_CARGO_PROFILE}" "${DIVIDERE_LIBRARY_DIR}" "${PROJECT_VERSION}"
      ${dividere_cargo_flags}
  BYPRODUCTS
    "${DIVIDERE_LIBRARY_DIR}/${DIVIDERE_SO}"
    "${DIVIDERE_LIBRARY_DIR}/${DIVIDERE_SONAME}"
    "${DIVIDERE_LIBRARY_DIR}/libdividere.so"
    "${DIVIDERE_LIBRARY_DIR}/libdividere.a"
  COMMENT "Building libdividere with cargo (${DIVIDERE_CARGO_PROFILE})"
  USES_TERMINAL VERBATIM)
