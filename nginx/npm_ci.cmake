# For the scripts make.cmake, which get NPM, FROM (their sources) and TO: removes what they made before and fetches the packages
# into TO/node_modules. When that fails, `failed` is set, and the next build tries again. Further arguments are options of npm.
macro(npm_ci what)
  file(REMOVE_RECURSE ${TO}/pages ${TO}/made)
  file(COPY ${FROM}/package.json ${FROM}/package-lock.json DESTINATION ${TO})
  execute_process(
    COMMAND ${NPM} ci --prefix ${TO} --ignore-scripts --prefer-offline --fetch-retries=1 --no-audit --no-fund --loglevel=error ${ARGN}
    WORKING_DIRECTORY ${TO}
    RESULT_VARIABLE failed
    OUTPUT_QUIET)
  if(failed)
    message("npm could not fetch its packages, so these are NOT built: ${what}.")
  endif()
endmacro()
