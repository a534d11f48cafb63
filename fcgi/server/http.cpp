#include "fcgi/server/http.h"

#include <algorithm>
#include <array>
#include <iterator>

#include <fmt/format.h>

namespace postern {
namespace {

struct Param {
  std::string_view name;
  std::string HttpRequest::*member;
};

constexpr std::array kParams{
    Param{"REQUEST_METHOD", &HttpRequest::method},
    Param{"DOCUMENT_URI", &HttpRequest::path},
    Param{"QUERY_STRING", &HttpRequest::query},
    Param{"CONTENT_TYPE", &HttpRequest::content_type},
    Param{"REMOTE_ADDR", &HttpRequest::remote_addr},
    Param{"REQUEST_ID", &HttpRequest::request_id},
    Param{"POSTERN_IDEMPOTENCY_KEY", &HttpRequest::idempotency_key},
    Param{"POSTERN_TRACEPARENT", &HttpRequest::traceparent},
    Param{"POSTERN_BASE_PATH", &HttpRequest::base_path},
    Param{"POSTERN_MOUNT", &HttpRequest::mount},
    Param{"POSTERN_TENANT", &HttpRequest::tenant},
    Param{"POSTERN_DIALECT", &HttpRequest::dialect},
    Param{"POSTERN_AUTH", &HttpRequest::auth},
    Param{"POSTERN_IDENTITY", &HttpRequest::identity},
    Param{"POSTERN_ROLE", &HttpRequest::role},
    Param{"POSTERN_SANDBOX", &HttpRequest::sandbox},
    Param{"POSTERN_OPERATOR", &HttpRequest::operator_vouched},
    Param{"POSTERN_KEY_TENANT", &HttpRequest::key_tenant},
    Param{"POSTERN_CELL", &HttpRequest::cell},
    Param{"POSTERN_CELLS", &HttpRequest::cells},
    Param{"POSTERN_KEY_HASH", &HttpRequest::key_hash},
    Param{"POSTERN_SERVICE", &HttpRequest::service},
    Param{"POSTERN_ACCESS", &HttpRequest::access},
    Param{"POSTERN_AUTHORIZATION", &HttpRequest::authorization},
    Param{"POSTERN_API_KEY", &HttpRequest::api_key},
};

Verdict verdict_from(std::string_view word) {
  if (word == "ok") return Verdict::ok;
  if (word == "missing") return Verdict::missing;
  if (word == "invalid") return Verdict::invalid;
  if (word == "forbidden") return Verdict::forbidden;
  if (word == "unavailable") return Verdict::unavailable;
  return Verdict::absent;
}

std::string_view phrase(int status) {
  switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 409: return "Conflict";
    case 413: return "Content Too Large";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 500: return "Internal Server Error";
    case 503: return "Service Unavailable";
    default: return "-";
  }
}

bool is_control(char c) { return (c >= 0 && c < 0x20 && c != '\t') || c == 0x7f; }

}  // namespace

void set_param(HttpRequest& request, std::string_view name, std::string_view value) {
  if (name == "POSTERN_VERDICT") {
    request.verdict = verdict_from(value);
    return;
  }
  for (const Param& param : kParams) {
    if (param.name != name) continue;
    request.*param.member = value;
    return;
  }
}

HttpResponse& HttpResponse::header(std::string name, std::string value) {
  if (std::none_of(value.begin(), value.end(), is_control)) {
    headers.emplace_back(std::move(name), std::move(value));
  }
  return *this;
}

HttpResponse json_response(int status, std::string json) {
  HttpResponse response{status, {}, std::move(json)};
  response.header("Content-Type", "application/json; charset=utf-8");
  return response;
}

std::string response_head(const HttpResponse& response) {
  std::string head;
  auto out = std::back_inserter(head);
  fmt::format_to(out, "Status: {} {}\r\n", response.status, phrase(response.status));
  for (const auto& [name, value] : response.headers) fmt::format_to(out, "{}: {}\r\n", name, value);
  if (!response.body.empty() && !response.rest)
    fmt::format_to(out, "Content-Length: {}\r\n", response.body.size());
  head += "\r\n";
  return head;
}

}  // namespace postern
