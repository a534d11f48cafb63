#include "fcgi/server/router.h"

#include <stdexcept>

#include "core/base/utf8.h"

namespace postern {
namespace {

// Takes the first segment, with its slash, off `path`.
std::string_view take_segment(std::string_view& path) {
  const auto end = path.find('/', 1);
  const auto segment = path.substr(0, end);
  path.remove_prefix(segment.size());
  return segment;
}

void add_method(std::string& list, std::string_view method) {
  if (!list.empty()) list += ", ";
  list += method;
}

}  // namespace

std::optional<PathArgs> match_path(std::string_view pattern, std::string_view path) {
  PathArgs args;
  while (!pattern.empty() && !path.empty()) {
    const auto want = take_segment(pattern);
    const auto have = take_segment(path);
    if (want.starts_with("/{")) {
      // No name and no id is other than UTF-8, and the database would not even look for one.
      if (have.size() < 2 || !is_utf8(have)) return std::nullopt;
      args.add(want.substr(2, want.size() - 3), have.substr(1));
    } else if (want != have) {
      return std::nullopt;
    }
  }
  if (!pattern.empty() || !path.empty()) return std::nullopt;
  return args;
}

void PathArgs::add(std::string_view name, std::string_view value) {
  if (count_ == args_.size()) throw std::logic_error("PathArgs: a pattern with too many names");
  args_[count_++] = {name, value};
}

std::string_view PathArgs::operator[](std::string_view name) const {
  for (std::size_t i = 0; i < count_; ++i) {
    if (args_[i].name == name) return args_[i].value;
  }
  throw std::logic_error("PathArgs: the pattern has no such name");
}

bool answers_method(std::string_view method, std::string_view asked) {
  return method == (asked == "HEAD" ? "GET" : asked);
}

void add_allowed(std::string& allowed, std::string_view method) {
  add_method(allowed, method);
  if (method == "GET") add_method(allowed, "HEAD");
}

}  // namespace postern
