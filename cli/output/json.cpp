#include "cli/output/json.h"

#include <algorithm>
#include <charconv>

namespace postern::admin {
namespace {

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

}  // namespace

JsonObject::JsonObject(std::string_view json) {
  if (json.empty() || json_kind(json) != JsonKind::object) return;
  if (auto members = json_members(json)) members_ = std::move(*members);
}

std::string_view JsonObject::raw(std::string_view name) const {
  const auto at = std::ranges::find(members_, name, &JsonMember::key);
  if (at != members_.end()) return at->raw;
  const auto dot = name.find('.');
  if (dot == name.npos) return {};
  return object(name.substr(0, dot)).raw(name.substr(dot + 1));
}

std::string JsonObject::text(std::string_view name) const {
  const auto value = raw(name);
  if (value.empty() || json_kind(value) != JsonKind::string) return {};
  const auto text = json_string(value, name);
  return text ? *text : "";
}

double JsonObject::number(std::string_view name) const {
  const auto value = raw(name);
  double out = 0;
  std::from_chars(value.data(), value.data() + value.size(), out);
  return out;
}

std::vector<std::string_view> JsonObject::elements(std::string_view name) const {
  const auto value = raw(name);
  if (value.empty() || json_kind(value) != JsonKind::array) return {};
  return json_elements(value);
}

std::string pretty_json(std::string_view json, std::size_t indent) {
  std::string out;
  const auto line = [&] { out.append(1, '\n').append(indent, ' '); };
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (is_space(c)) continue;
    if (c == '"') {
      const auto from = i++;
      while (i < json.size() && json[i] != '"') i += json[i] == '\\' ? 2 : 1;
      out += json.substr(from, i + 1 - from);
    } else if (c == '{' || c == '[') {
      out += c;
      const auto next = json.find_first_not_of(" \n\r\t", i + 1);
      if (next != json.npos && (json[next] == '}' || json[next] == ']')) {
        out += json[i = next];
        continue;
      }
      indent += 2;
      line();
    } else if (c == '}' || c == ']') {
      indent -= 2;
      line();
      out += c;
    } else if (c == ',') {
      out += c;
      line();
    } else {
      out += c;
      if (c == ':') out += ' ';
    }
  }
  return out;
}

}  // namespace postern::admin
