// Files and programs of the host, for `postern setup`.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace postern::admin::setup {

bool exists(const std::string& path);
// nullopt: there is no such file. Throws std::runtime_error when it cannot be read.
std::optional<std::string> read_file(const std::string& path);
// Replaces the file as a whole; a reader sees the old or the new one. An existing file keeps its
// owner and mode; a new one gets `mode`. Makes the folder. Follows a symbolic link.
void write_file(const std::string& path, const std::string& text, unsigned mode);
// Keeps the text of a file that is to be changed, in this folder, by the name and the time; returns
// where.
std::string back_up(const std::string& folder, const std::string& name, const std::string& text);

// Held as long as the process lives, by one `postern setup` of a host. Throws std::runtime_error
// when another has it.
void be_alone(const std::string& folder);

struct Ended {
  int code;  // 127: there is no such program
  std::string said;
};
// Runs a program, found by PATH or in /usr/sbin, and returns what it wrote.
Ended run_program(const std::vector<std::string>& command);

}  // namespace postern::admin::setup
