// The wires that Postern speaks, and the way of a request through one of them.
#pragma once

#include <span>
#include <string_view>

#include "core/error.h"
#include "core/task.h"
#include "fcgi/http.h"
#include "fcgi/router.h"

namespace postern {

struct DialectTable {
  Dialect dialect;
  std::span<const Route> routes;
  HttpResponse (*render_error)(const Error&);
};

const DialectTable& native();

// The dialect that the vhost names, else the one the request speaks.
const DialectTable& choose_dialect(const HttpRequest& request);

// Answers one request, whatever it is and whatever happens, now or later. Any thread.
void dispatch(Api& api, const HttpRequest& request, const Reply& reply);

// The status and headers an error has in every dialect but for exceptions, around the dialect's own
// body.
HttpResponse error_response(const Error& error, std::string json);

}  // namespace postern
