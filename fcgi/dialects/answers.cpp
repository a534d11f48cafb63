#include "fcgi/dialects/answers.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "core/base/text.h"
#include "fcgi/api/use_cases.h"

namespace postern {
namespace {

int status_of(const Error& error) {
  // A reused key is a conflict to the use-cases; on every wire it is the request that is at fault.
  if (error.reason == "idempotency_key_reused") return 422;
  switch (error.code) {
    case Errc::invalid_argument: return 400;
    case Errc::unauthenticated: return 401;
    case Errc::forbidden: return 403;
    case Errc::not_found: return 404;
    case Errc::method_not_allowed: return 405;
    case Errc::conflict:
    case Errc::duplicate: return 409;
    case Errc::payload_too_large: return 413;
    case Errc::rate_limited: return 429;
    case Errc::unavailable: return 503;
    case Errc::internal: return 500;
  }
  return 500;
}

}  // namespace

std::string encoded_path(std::string_view path) {
  std::string out;
  for (const char c : path) {
    if (is_alphanumeric(c) || std::string_view("/-._~!$&'()*+,;=:@").find(c) != path.npos) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

std::string link_base(const UseCases& use, const HttpRequest& request) {
  return use.public_url.empty() ? request.base_path : use.public_url + request.mount;
}

std::optional<HttpResponse> slash_redirect(const DialectTable& table, const HttpRequest& request) {
  if (!table.redirects_slashes || !request.path.ends_with('/')) return std::nullopt;
  const std::string_view path =
      std::string_view(request.path).substr(0, request.path.find_last_not_of('/') + 1);
  const bool there = std::any_of(table.routes.begin(), table.routes.end(), [&](const Route& route) {
    return match_path(route.pattern, path).has_value();
  });
  if (!there) return std::nullopt;
  // Relative, so that it stays in the site that was asked: HTTP clients take no credential to
  // another one.
  std::string location = "../" + encoded_path(path.substr(path.rfind('/') + 1));
  if (!request.query.empty()) location += "?" + request.query;
  HttpResponse response;
  response.status = 307;
  response.header("Location", std::move(location));
  return response;
}

HttpResponse error_response(const Error& error, std::string json) {
  HttpResponse response = json_response(status_of(error), std::move(json));
  if (error.code == Errc::unauthenticated) response.header("WWW-Authenticate", "Bearer");
  if (error.code == Errc::unavailable || error.code == Errc::rate_limited) {
    response.header("Retry-After", "1");
  }
  return response;
}

HttpResponse task_response(const Call& call, int status, const Task& task) {
  return json_response(status, shown_to(call.dialect, task).render_task(task));
}

CreationApi::Done created_answer(const Call& call, Finish finish) {
  return [finish = std::move(finish), mount = call.dialect,
          base = link_base(call.use, call.request)](const Result<Created>& created) {
    if (!created) return finish(created.error());
    const Task& task = created->task;
    const DialectTable& table = shown_to(mount, task);
    HttpResponse response =
        json_response(created->replayed ? 200 : table.created_status, table.render_created(task));
    response.header("Location", base + table.task_path(task));
    if (created->replayed) response.header("Idempotency-Replayed", "true");
    finish(std::move(response));
  };
}

}  // namespace postern
