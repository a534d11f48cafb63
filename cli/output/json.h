// JSON of the API's answers, read for people. Nothing here copies: views are of the text they were
// made from, which must outlive them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/json.h"

namespace postern::admin {

// A JSON object. REQUIRES: the text is valid JSON; of another kind it has no members.
class JsonObject {
 public:
  JsonObject() = default;
  explicit JsonObject(std::string_view json);

  const std::vector<JsonMember>& members() const& { return members_; }
  void members() && = delete;  // they would end with it
  bool has(std::string_view name) const { return !raw(name).empty(); }
  // The value's own bytes; empty without such a member. "depth.ready" is a member of a member.
  std::string_view raw(std::string_view name) const;
  // The decoded text of a string; empty for anything else.
  std::string text(std::string_view name) const;
  // 0 for what is no number.
  double number(std::string_view name) const;
  bool is_true(std::string_view name) const { return raw(name) == "true"; }
  JsonObject object(std::string_view name) const { return JsonObject(raw(name)); }
  // The elements of an array; none of anything else.
  std::vector<std::string_view> elements(std::string_view name) const;

 private:
  std::vector<JsonMember> members_;
};

// The JSON value in several lines, nested ones indented by two more than `indent`.
std::string pretty_json(std::string_view json, std::size_t indent = 0);

}  // namespace postern::admin
