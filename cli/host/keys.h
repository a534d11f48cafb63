// API keys, for the commands that make one.
#pragma once

#include <string>

namespace postern::admin {

// A new key's text, of which only the hash is stored. One of the sandbox has another beginning.
std::string make_key(bool sandbox);

}  // namespace postern::admin
