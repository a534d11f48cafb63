// Answers that all dialects have in common.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/model/task.h"
#include "fcgi/api/creation.h"
#include "fcgi/dialects/table.h"
#include "fcgi/server/http.h"

namespace postern {

// The status and headers an error has in every dialect but for exceptions, around the dialect's own
// body.
HttpResponse error_response(const Error& error, std::string json);

// The answer that holds one task.
HttpResponse task_response(const Call& call, int status, const Task& task);

// A path of the request, which is decoded and may hold anything, for a Location.
std::string encoded_path(std::string_view path);

// What stands before a path of a dialect in a link for whoever sent `request`: public_url, which
// has the prefix of the site that it leads to, and the dialect's mount. The site of the request may
// have another prefix. Without a public_url a link is a path in the request's own site.
std::string link_base(const UseCases& use, const HttpRequest& request);

// 307 to the path without the slashes at its end, where `table` has that wish and a route there.
std::optional<HttpResponse> slash_redirect(const DialectTable& table, const HttpRequest& request);

// Answers with the new task and a Location; 200 when it was made before.
CreationApi::Done created_answer(const Call& call, Finish finish);

}  // namespace postern
