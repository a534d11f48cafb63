# Makes TO/pages, the folder that docs.conf serves, and then the stamp TO/made. Usage: cmake -DNPM=… -DFROM=… -DTO=… -P make.cmake
include(${FROM}/../npm_ci.cmake)
npm_ci("the pages /docs and /redoc" --legacy-peer-deps)  # ReDoc's bundle contains its peer dependencies
if(failed)
  return()
endif()

file(COPY ${FROM}/swagger.html ${FROM}/redoc.html ${FROM}/assets DESTINATION ${TO}/pages)
# The frame is the dashboard's.
file(COPY ${FROM}/../ui/frame.css ${FROM}/../ui/icon.svg DESTINATION ${TO}/pages/assets)
set(swagger ${TO}/node_modules/swagger-ui-dist)
set(redoc ${TO}/node_modules/redoc)
file(COPY
  ${swagger}/swagger-ui.css
  ${swagger}/swagger-ui-bundle.js
  ${swagger}/swagger-ui-bundle.js.LICENSE.txt
  ${redoc}/bundles/redoc.standalone.js
  ${redoc}/bundles/redoc.standalone.js.LICENSE.txt
  DESTINATION ${TO}/pages/assets)
# ReDoc shows its makers' logo from their server. A picture that is none is left out.
set(bundle ${TO}/pages/assets/redoc.standalone.js)
file(READ ${bundle} text)
string(REPLACE "https://cdn.redoc.ly/redoc/logo-mini.svg" "data:," text "${text}")
file(WRITE ${bundle} "${text}")
file(COPY_FILE ${swagger}/LICENSE ${TO}/pages/assets/swagger-ui.LICENSE.txt)
file(COPY_FILE ${redoc}/LICENSE ${TO}/pages/assets/redoc.LICENSE.txt)
file(TOUCH ${TO}/made)
