# The command dividere, made by cargo where DIVIDERE_CLI is on, and installed with
# completions for the shells that look for them.
#
# In a target directory of its own: the libraries' must not be shared.
if(NOT DIVIDERE_CLI)
  return()
endif()

set(dividere_command_profile "${DIVIDERE_CARGO_PROFILE}")
if(dividere_command_profile STREQUAL "release")
  set(dividere_command_profile "command")
endif()
set(DIVIDERE_COMMAND_DIR "${CMAKE_CURRENT_BINARY_DIR}/bin")

add_custom_target(dividere_command ALL
  COMMAND "${CMAKE_COMMAND}" -E env "CARGO=${DIVIDERE_CARGO}"
    sh "${CMAKE_CURRENT_SOURCE_DIR}/cmake/build-command.sh"
      "${CMAKE_CURRENT_SOURCE_DIR}" "${DIVIDERE_CARGO_TARGET_DIR}-command"
      "${dividere_command_profile}" "${DIVIDERE_COMMAND_DIR}"
      ${dividere_cargo_flags}
  BYPRODUCTS
    "${DIVIDERE_COMMAND_DIR}/dividere"
    "${DIVIDERE_COMMAND_DIR}/completions/dividere.bash"
    "${DIVIDERE_COMMAND_DIR}/completions/_dividere"
    "${DIVIDERE_COMMAND_DIR}/completions/dividere.fish"
  COMMENT "Building the command dividere with cargo (${dividere_command_profile})"
  USES_TERMINAL VERBATIM)
# One cargo at a time: each takes all processors.
add_dependencies(dividere_command dividere_libraries)

install(PROGRAMS "${DIVIDERE_COMMAND_DIR}/dividere" DESTINATION "${CMAKE_INSTALL_BINDIR}")
install(FILES "${DIVIDERE_COMMAND_DIR}/completions/dividere.bash"
  DESTINATION "${CMAKE_INSTALL_DATADIR}/bash-completion/completions" RENAME dividere OPTIONAL)
install(FILES "${DIVIDERE_COMMAND_DIR}/completions/_dividere"
  DESTINATION "${CMAKE_INSTALL_DATADIR}/zsh/site-functions" OPTIONAL)
install(FILES "${DIVIDERE_COMMAND_DIR}/completions/dividere.fish"
  DESTINATION "${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d" OPTIONAL)
