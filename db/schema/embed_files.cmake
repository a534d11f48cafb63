# Writes OUT, a C++ file that holds the named files of FOLDER as raw string literals: the schema travels inside the
# program. Usage: cmake -DOUT=... -DFOLDER=db/schema "-DFILES=a.sql;b.sql" -DVERSION=1.2.3 -P embed_files.cmake
set(table "")
foreach(file IN LISTS FILES)
  cmake_path(RELATIVE_PATH file BASE_DIRECTORY "${FOLDER}" OUTPUT_VARIABLE name)
  string(REGEX REPLACE "\\.sql$" "" name "${name}")
  file(READ "${file}" content)
  # A raw literal may hold at most 65,535 bytes, so the contents are joined from pieces.
  string(LENGTH "${content}" length)
  set(pieces "")
  set(at 0)
  while(at LESS length)
    string(SUBSTRING "${content}" ${at} 16000 piece)
    string(APPEND pieces "R\"sql~(${piece})sql~\"\n")
    math(EXPR at "${at} + 16000")
  endwhile()
  string(APPEND table "    {\"${name}\", ${pieces}},\n")
endforeach()
file(WRITE "${OUT}" "// Made by db/schema/embed_files.cmake.
#include \"db/schema/migrations.h\"

namespace postern::db {

const Schema& embedded_schema() {
  static const Schema schema{{
${table}  }, release_number(\"${VERSION}\")};
  return schema;
}

}  // namespace postern::db
")
