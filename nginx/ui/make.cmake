# Makes TO/pages, the folder that ui.conf serves, and then the stamp TO/made. Usage: cmake -DNPM=… -DFROM=… -DTO=… -P make.cmake
include(${FROM}/../npm_ci.cmake)
npm_ci("the dashboard")
if(failed)
  return()
endif()

file(COPY ${FROM}/index.html ${FROM}/frame.css ${FROM}/style.css ${FROM}/icon.svg ${FROM}/js ${FROM}/parts ${FROM}/screens
  DESTINATION ${TO}/pages)
set(packages ${TO}/node_modules)
set(vendor ${TO}/pages/vendor)
file(COPY ${packages}/htm/dist/htm.module.js ${packages}/preact/dist/preact.module.js
  ${packages}/preact/hooks/dist/hooks.module.js ${packages}/uplot/dist/uPlot.iife.min.js
  ${packages}/uplot/dist/uPlot.min.css
  DESTINATION ${vendor})
# A page finds a module by its address alone: the name of a package would need an inline map, which the
# Content-Security-Policy forbids. The source maps that these name are not shipped.
foreach(file htm.module.js preact.module.js hooks.module.js)
  file(READ ${vendor}/${file} text)
  string(REPLACE "from\"preact\"" "from\"./preact.module.js\"" text "${text}")
  string(REGEX REPLACE "\n//# sourceMappingURL=[^\n]*" "" text "${text}")
  file(WRITE ${vendor}/${file} "${text}")
endforeach()
foreach(package htm preact uplot)
  file(COPY_FILE ${packages}/${package}/LICENSE ${vendor}/${package}.LICENSE.txt)
endforeach()
file(TOUCH ${TO}/made)
