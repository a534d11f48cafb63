# Static pages with npm packages in the versions of a lock file. They are optional: without npm or a network everything else is
# built, and the build prints what is missing.

# postern_pages(NAME WHAT FILE...): the target NAME_pages, made of these files by the make.cmake beside them, and installed as
# share/postern/NAME. WHAT is what they are called.
function(postern_pages name what)
  find_program(NPM npm)
  if(NOT NPM)
    set(missing "There is no npm, so these are NOT built: ${what}")
    message(WARNING "${missing}. POSTERN_DOCS_PAGES=OFF says that this is meant.")
    add_custom_target(${name}_pages COMMAND ${CMAKE_COMMAND} -E echo "${missing}.")
    return()
  endif()
  set(pages ${CMAKE_BINARY_DIR}/${name}-pages)
  add_custom_command(
    OUTPUT ${pages}/made
    COMMAND ${CMAKE_COMMAND} -DNPM=${NPM} -DFROM=${CMAKE_CURRENT_SOURCE_DIR} -DTO=${pages} -P make.cmake
    DEPENDS make.cmake package.json package-lock.json ${CMAKE_SOURCE_DIR}/nginx/npm_ci.cmake ${ARGN}
    WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}
    COMMENT "npm ci, for ${what}"
    VERBATIM)
  add_custom_target(${name}_pages ALL DEPENDS ${pages}/made)
  install(DIRECTORY ${pages}/pages/ DESTINATION ${CMAKE_INSTALL_DATADIR}/postern/${name} OPTIONAL)
endfunction()
