#include "fcgi/dialects/detect.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/base/json.h"
#include "fcgi/api/tasks.h"
#include "fcgi/api/use_cases.h"
#include "fcgi/server/query.h"

namespace postern {
namespace {

constexpr std::string_view kTasks = "/v1/tasks";
constexpr std::string_view kOneTask = "/v1/tasks/{id}";

// Whose words are spoken where nothing tells.
const DialectTable& fallback() { return table_of(kDefaultDialect); }

// Most bodies have no mark of another dialect's and are small, and are to be parsed once. A key may
// be written with escapes.
bool is_unmarked_at_a_glance(std::string_view body) {
  if (body.find('\\') != body.npos) return false;
  for (const DialectTable* table : all_tables()) {
    if (table == &fallback()) continue;
    for (const std::string_view mark : table->body_marks) {
      if (body.find(mark) != body.npos) return false;
    }
  }
  return true;
}

// What a body of POST /v1/tasks is told by.
Result<const DialectTable*> table_of_body(std::string_view body) {
  if (is_unmarked_at_a_glance(body)) return &fallback();
  const Result<std::vector<JsonMember>> members = parse_json_object(body);
  if (!members) return &fallback();  // whose own parser says what is wrong
  const DialectTable* found = nullptr;
  std::string_view found_mark;
  for (const DialectTable* table : all_tables()) {
    for (const std::string_view mark : table->body_marks) {
      const bool there = std::any_of(members->begin(), members->end(),
                                     [&](const JsonMember& member) { return member.key == mark; });
      if (!there || found == table) continue;
      if (found != nullptr) {
        return invalid(
            "dialect_ambiguous", std::string(mark),
            fmt::format("{} and {} belong to different APIs: give one of them.", found_mark, mark));
      }
      found = table;
      found_mark = mark;
    }
  }
  return found == nullptr ? &fallback() : found;
}

// What a list is told by. The parser of either dialect says what is wrong with the query.
const DialectTable* table_of_list(std::string_view text) {
  Result<Query> query = Query::parse(text);
  if (!query) return &fallback();
  for (const DialectTable* table : all_tables()) {
    for (const std::string_view mark : table->query_marks) {
      if (query->has(mark)) return table;
    }
  }
  return &fallback();
}

const DialectTable& table_of_spelling(std::string_view id) {
  for (const DialectTable* table : all_tables()) {
    if (table->spells != nullptr && table->spells(id)) return *table;
  }
  return fallback();
}

Way way_of_all(const HttpRequest& request) {
  const DialectTable* told = &fallback();
  std::optional<Error> refused;
  if (request.path == kTasks && request.method == "POST") {
    const Result<const DialectTable*> table = table_of_body(request.body);
    if (table) {
      told = *table;
    } else {
      refused = table.error();
    }
  } else if (request.path == kTasks) {
    told = table_of_list(request.query);
  }
  Way way{told, {}, std::nullopt, std::move(refused)};
  // What only one of them has is found whoever is asked first.
  const auto look_in = [&](const DialectTable* table) {
    auto match = find_route(table->routes, request.method, request.path);
    if (match.route == nullptr && (match.allowed.empty() || !way.match.allowed.empty())) return;
    way.table = table;
    way.match = std::move(match);
  };
  look_in(told);
  if (way.match.route == nullptr) look_in(&fallback());
  for (const DialectTable* table : all_tables()) {
    if (way.match.route != nullptr) break;
    if (table->shared) look_in(table);
  }
  return way;
}

}  // namespace

Way way_of(const HttpRequest& request) {
  for (const DialectTable* table : all_tables()) {
    if (name(table->dialect) != request.dialect) continue;
    return {table, find_route(table->routes, request.method, request.path), table->dialect,
            std::nullopt};
  }
  return way_of_all(request);
}

const DialectTable& speaker(const UseCases& use, const Way& way, const Caller* caller) {
  if (way.mount || way.match.route == nullptr || way.table != &fallback() ||
      !way.match.route->pattern.starts_with(kOneTask)) {
    return *way.table;
  }
  const std::string_view id = way.match.args["id"];
  const auto own = caller != nullptr ? use.tasks.dialect_of(*caller, id) : std::nullopt;
  return own ? table_of(*own) : table_of_spelling(id);
}

}  // namespace postern
