# Writes OUT, a C++ file that holds the document IN as a string literal. A literal may hold at most 65,535 bytes, so it is
# joined from pieces. Usage: cmake -DIN=openapi.json -DOUT=... -P embed.cmake
file(READ "${IN}" content)
set(text "// Made by openapi/embed.cmake.\n#include \"fcgi/openapi/document.h\"\n\nnamespace postern {\n\n")
string(APPEND text "std::string_view openapi_document() {\n  static constexpr char kDocument[] =\n")
string(LENGTH "${content}" length)
set(at 0)
while(at LESS length)
  string(SUBSTRING "${content}" ${at} 16000 piece)
  string(APPEND text "R\"json~(${piece})json~\"\n")
  math(EXPR at "${at} + 16000")
endwhile()
string(APPEND text ";\n  return {kDocument, sizeof kDocument - 1};\n}\n\n}  // namespace postern\n")
file(WRITE "${OUT}" "${text}")
