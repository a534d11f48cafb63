// Files as a whole.
#pragma once

#include <optional>
#include <string>

namespace postern {

// All bytes of the file; nullopt when it cannot be opened or read to its end: there is none, it is
// a folder, its right is not given, its disk fails, or it is of a process that has ended. For files
// of which somebody has made sure that they fit into memory. Safe from any thread.
std::optional<std::string> file_content(const std::string& path);

}  // namespace postern
