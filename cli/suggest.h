// What the words of a command line name, before it is parsed, and what may have been meant by one
// that names nothing.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace postern::admin {

struct Words {
  std::string noun;  // the first word that is no option; empty: none
  bool knows_noun = false;
  // A sentence about the first word that is no command or no option of its command, with the
  // nearest that is one; empty: all are known.
  std::string unknown;
};

// REQUIRES: all commands are registered.
Words look_at(const CLI::App& app, int argc, char** argv);

}  // namespace postern::admin
