// An nginx configuration, as far as it must be known to add a line to one of its server { } blocks.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace postern::admin::setup {

struct Server {
  std::vector<std::string> names;     // of server_name
  std::vector<std::string> includes;  // directly in it
  bool tls = false;                   // a listen with ssl
  std::size_t line = 0;               // of its `server {`, from 1
  std::size_t close = 0;              // where its } is in the text
};

// The blocks `server { }` of a file, in its order; also those of a file that nginx would refuse, as
// far as they are closed.
std::vector<Server> servers_of(std::string_view text);

// The text with `directive` as the last line of the server.
std::string with_directive(const std::string& text, const Server& server,
                           const std::string& directive);

}  // namespace postern::admin::setup
