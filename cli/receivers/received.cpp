#include "cli/receivers/received.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "cli/command/printable.h"
#include "core/base/base64.h"
#include "core/base/utf8.h"

namespace postern::admin {
namespace {

constexpr std::size_t kMaxShownBody = 64 * 1024;

// The order in which headers are shown: lower ranks first.
int rank(const Header& header) {
  const std::string name = to_lower(header.name);
  if (name.starts_with("webhook-")) return 0;
  if (name.starts_with("postern-")) return 1;
  if (name.starts_with("content-")) return 2;
  return 3;
}

}  // namespace

std::string Received::header(std::string_view name) const {
  std::string out;
  for (const Header& each : headers) {
    if (!equal_ignoring_case(each.name, name)) continue;
    if (!out.empty()) out += ", ";
    out += each.value;
  }
  return out;
}

std::string as_json(const Received& request) {
  JsonWriter out;
  out.begin_object();
  out.member("time", format_rfc3339(request.at, TimeDigits::millis));
  out.member("method", request.method);
  out.member("path", request.path);
  out.key("headers").begin_object();
  std::vector<std::string> names;
  for (const Header& header : request.headers) {
    std::string name = to_lower(header.name);
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    out.member(name, request.header(name));
    names.push_back(std::move(name));
  }
  out.end_object();
  if (is_utf8(request.body)) {
    out.member("body", request.body);
  } else {
    out.member("body_base64", base64_encode(request.body));
  }
  out.member("status", request.status);
  out.key("verdict");
  request.verdict ? write_verdict(out, *request.verdict) : void(out.null());
  out.end_object();
  return printable_json(out.text()) + "\n";
}

std::string as_text(const Received& request) {
  std::string out =
      fmt::format("{}  {} {}  answered {}\n", format_rfc3339(request.at, TimeDigits::millis),
                  printable(request.method), printable(request.path), request.status);
  if (request.verdict) out += fmt::format("  signature {}\n", verdict_line(*request.verdict));
  Headers headers = request.headers;
  std::stable_sort(headers.begin(), headers.end(),
                   [](const Header& a, const Header& b) { return rank(a) < rank(b); });
  for (const Header& header : headers) {
    out += fmt::format("  {}: {}\n", printable(header.name), printable(header.value));
  }
  // Each line is indented: a body cannot look like the next request.
  std::string_view body = std::string_view(request.body).substr(0, kMaxShownBody);
  while (!body.empty()) {
    const std::string_view line = body.substr(0, body.find('\n'));
    out += fmt::format("  | {}\n", printable(line));
    body.remove_prefix(std::min(line.size() + 1, body.size()));
  }
  if (request.body.size() > kMaxShownBody) {
    out += fmt::format("  ... and {} bytes more\n", request.body.size() - kMaxShownBody);
  }
  return out + "\n";
}

}  // namespace postern::admin
