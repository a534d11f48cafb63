#include "core/program/file.h"

#include <array>
#include <fstream>

namespace postern {

std::optional<std::string> file_content(const std::string& path) {
  std::ifstream input(path, std::ios::binary);
  std::string content;
  // read(), unlike an iterator over the stream, throws nothing when the system does not read.
  std::array<char, 8192> piece;
  while (input.read(piece.data(), piece.size()) || input.gcount() > 0) {
    content.append(piece.data(), static_cast<std::size_t>(input.gcount()));
  }
  if (!input.is_open() || input.bad()) return std::nullopt;
  return content;
}

}  // namespace postern
