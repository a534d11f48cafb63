// Paths to handlers: a dialect's table of contents and how a request finds its line in it.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/model/task.h"
#include "fcgi/server/http.h"

namespace postern {

class Api;
struct Caller;

// What a route asks of its caller's role. `open` asks for no identity at all.
enum class Access { open, read, retry, write };

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

// One request on its way through a handler.
struct Call {
  Api& api;
  const HttpRequest& request;
  const Caller& caller;
  const PathArgs& path;
  // What this mount speaks; nullopt: all dialects, each task its own.
  std::optional<Dialect> dialect;
};

// Parses, calls one use-case of the Api, renders. An error is returned, never rendered.
using Handler = Result<HttpResponse> (*)(const Call&);

// The same for an answer that is not there yet: calls `finish` once, now or later, on any thread,
// when `call` may be gone.
using Finish = std::function<void(Result<HttpResponse>)>;
using LateHandler = void (*)(const Call&, Finish finish);

struct Route {
  constexpr Route(std::string_view method_, std::string_view pattern_, Access access_,
                  Handler handler_)
      : method(method_), pattern(pattern_), access(access_), handler(handler_) {}
  constexpr Route(std::string_view method_, std::string_view pattern_, Access access_,
                  LateHandler late_)
      : method(method_), pattern(pattern_), access(access_), late(late_) {}

  std::string_view method;
  std::string_view pattern;  // "/v1/tasks/{id}"
  Access access;
  Handler handler = nullptr;  // one of the two
  LateHandler late = nullptr;
};

struct Match {
  const Route* route = nullptr;
  PathArgs args;
  std::string allowed;  // without a route: the methods the path has, for Allow; empty: no such path
};

// A GET route answers HEAD too. A {name} takes one segment of UTF-8 that is not empty. `args` point
// into `path`.
Match find_route(std::span<const Route> routes, std::string_view method, std::string_view path);

}  // namespace postern
