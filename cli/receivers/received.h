// A request that `postern listen` has received, and how it is shown.
#pragma once

#include <optional>
#include <string>

#include "cli/receivers/verify.h"
#include "core/base/headers.h"
#include "core/time/time.h"

namespace postern::admin {

struct Received {
  Time at;
  std::string method, path;
  Headers headers;  // in the order they came
  std::string body;
  int status = 200;                     // what it is answered with
  std::optional<Verification> verdict;  // nullopt: no secret was given

  // The values of all headers of that name, joined by ", "; empty without any.
  std::string header(std::string_view name) const;
};

// One line of JSON, with the whole body: as "body" when it is UTF-8, else as "body_base64". Header
// names are in lower case. Nothing in it can steer a terminal.
std::string as_json(const Received& request);

// For people: the verdict and the headers that matter first, at most 64 KiB of the body. Nothing
// in it can steer a terminal.
std::string as_text(const Received& request);

}  // namespace postern::admin
