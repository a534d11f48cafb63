#include "fcgi/openapi/document.h"

#include <array>
#include <cstddef>

#include <boost/json.hpp>

namespace postern {
namespace {

namespace json = boost::json;

// Gives `components` what `node` refers to and they lack, and what that refers to.
void complete(json::object& components, const json::object& native, const json::value& node);

void take(json::object& components, const json::object& native, std::string_view reference) {
  constexpr std::string_view kComponents = "#/components/";
  reference.remove_prefix(kComponents.size());
  const std::string_view kind = reference.substr(0, reference.find('/'));
  const std::string_view name = reference.substr(kind.size() + 1);
  json::object& own = components.emplace(kind, json::object()).first->value().as_object();
  if (own.contains(name)) return;
  const json::value& shared = native.at(kind).at(name);
  own.emplace(name, shared);
  complete(components, native, shared);
}

void complete(json::object& components, const json::object& native, const json::value& node) {
  if (const json::array* list = node.if_array()) {
    for (const json::value& each : *list) complete(components, native, each);
  }
  if (const json::object* object = node.if_object()) {
    for (const auto& [key, value] : *object) {
      if (key == "$ref") {
        take(components, native, value.as_string());
      } else {
        complete(components, native, value);
      }
    }
  }
}

json::object completed(Dialect dialect) {
  const json::value native = json::parse(openapi_source(Dialect::native));
  const json::value source = json::parse(openapi_source(dialect));
  const json::object& shared = native.at("components").as_object();
  json::object document = source.as_object();
  json::object& components = document.at("components").as_object();
  complete(components, shared, source);
  components.emplace("securitySchemes", shared.at("securitySchemes"));
  // Postern's own API is of the program's version; the others keep their original's.
  if (dialect == Dialect::native) document.at("info").as_object()["version"] = POSTERN_VERSION;
  return document;
}

}  // namespace

std::string openapi_document(Dialect dialect, std::string_view base_path) {
  static const std::array kDocuments{completed(Dialect::native), completed(Dialect::asyncqueue),
                                     completed(Dialect::taskmq), completed(Dialect::asyncjobs)};
  static_assert(kDocuments.size() == kAllDialects.size());
  json::object document = kDocuments.at(static_cast<std::size_t>(dialect));
  if (!base_path.empty()) document.at("servers").at(0).as_object()["url"] = base_path;
  return json::serialize(document);
}

}  // namespace postern
