// Answers that all dialects have in common.
#pragma once

#include <optional>
#include <string>

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

// 307 to the path without the slashes at its end, where `table` has that wish and a route there.
std::optional<HttpResponse> slash_redirect(const UseCases& use, const DialectTable& table,
                                           const HttpRequest& request);

// Answers with the new task and a Location; 200 when it was made before.
CreationApi::Done created_answer(const Call& call, Finish finish);

}  // namespace postern
