#include "core/base/headers_json.h"

#include <exception>

#include <boost/json.hpp>

#include "core/base/json_writer.h"

namespace postern {

std::string headers_json(const Headers& headers) {
  if (headers.empty()) return {};
  JsonWriter out;
  out.begin_object();
  for (const auto& header : headers) out.key(header.name).string(header.value);
  out.end_object();
  return out.take();
}

Headers headers_from_json(std::string_view json) {
  Headers headers;
  if (json.empty()) return headers;
  try {
    const auto value = boost::json::parse(json);
    for (const auto& [key, text] : value.as_object()) {
      headers.push_back({std::string(key), std::string(text.as_string())});
    }
  } catch (const std::exception&) {
    return {{"", "unreadable"}};
  }
  return headers;
}

}  // namespace postern
