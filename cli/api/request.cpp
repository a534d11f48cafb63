#include "cli/api/request.h"

#include <iterator>

#include <fmt/format.h>

#include "core/base/text.h"

namespace postern::admin {

std::optional<std::string> ApiAnswer::header(std::string_view name) const {
  for (const auto& [known, value] : headers) {
    if (to_lower(known) == name) return value;
  }
  return std::nullopt;
}

std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (is_alphanumeric(c) || std::string_view("-._~").find(c) != std::string_view::npos) {
      out += c;
    } else {
      fmt::format_to(std::back_inserter(out), "%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

std::string query_text(const ApiRequest& request) {
  std::string out;
  for (const auto& [name, value] : request.query) {
    if (!out.empty()) out += '&';
    out += percent_encoded(name) + '=' + percent_encoded(value);
  }
  return out;
}

std::string encoded_path(const ApiRequest& request) {
  std::string out = "/v1";
  for (const auto& segment : request.path) out += '/' + percent_encoded(segment);
  return out;
}

}  // namespace postern::admin
