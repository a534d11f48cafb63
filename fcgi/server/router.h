// Patterns and paths: how a request finds its line in a table of routes.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace postern {

// The parts of a path that a pattern names.
class PathArgs {
 public:
  void add(std::string_view name, std::string_view value);
  // REQUIRES: the route's pattern has {name}.
  std::string_view operator[](std::string_view name) const;

 private:
  struct Arg {
    std::string_view name, value;
  };
  std::array<Arg, 2> args_;
  std::size_t count_ = 0;
};

// The arguments of `path`, when it is one of `pattern` ("/v1/tasks/{id}"). A {name} takes one
// segment of UTF-8 that is not empty. They point into `path`.
std::optional<PathArgs> match_path(std::string_view pattern, std::string_view path);

template <class Route>
struct Match {
  const Route* route = nullptr;
  PathArgs args;
  std::string allowed;  // without a route: the methods the path has, for Allow; empty: no such path
};

// Whether a route of `method` answers a request of `asked`: a GET route answers HEAD too.
bool answers_method(std::string_view method, std::string_view asked);
// Adds a route's method to the value of an Allow header.
void add_allowed(std::string& allowed, std::string_view method);

// The first of `routes` that takes this request. A Route has a `method` and a `pattern`.
template <class Route>
Match<Route> find_route(std::span<const Route> routes, std::string_view method,
                        std::string_view path) {
  Match<Route> out;
  for (const Route& route : routes) {
    const auto args = match_path(route.pattern, path);
    if (!args) continue;
    if (answers_method(route.method, method)) return {&route, *args, {}};
    add_allowed(out.allowed, route.method);
  }
  return out;
}

}  // namespace postern
