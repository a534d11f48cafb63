#include "fcgi/dialects/native/keys.h"

#include <utility>

#include "core/base/json_writer.h"
#include "core/wire/values.h"
#include "fcgi/api/keys.h"
#include "fcgi/api/use_cases.h"
#include "fcgi/server/field_reader.h"

namespace postern::native_keys {
namespace {

void write_time_or_null(JsonWriter& out, std::string_view key, const std::optional<Time>& time) {
  out.key(key);
  time ? wire::write_time(out, *time) : void(out.null());
}

// The object is left open, for what belongs to one answer alone.
void begin_key(JsonWriter& out, const db::KeyInfo& key) {
  out.begin_object();
  out.member("name", key.name);
  out.member("role", key.role);
  out.member("sandbox", key.sandbox);
  write_time_or_null(out, "created_at", key.created_at);
  write_time_or_null(out, "last_used_at", key.last_used_at);
  write_time_or_null(out, "expires_at", key.expires_at);
  write_time_or_null(out, "revoked_at", key.revoked_at);
}

}  // namespace

Result<HttpResponse> list(const Call& call) {
  const auto listed = call.use.keys.list(call.caller);
  if (!listed) return listed.error();
  JsonWriter out;
  out.begin_object().key("keys").begin_array();
  for (const auto& key : listed->keys) {
    begin_key(out, key);
    out.end_object();
  }
  out.end_array();
  out.member("more", listed->more);
  out.end_object();
  return json_response(200, out.take());
}

Result<HttpResponse> create(const Call& call) {
  auto fields = FieldReader::parse(call.request.body);
  if (!fields) return fields.error();
  KeysApi::Wanted wanted;
  wanted.name = fields->text("name").value_or("");
  wanted.role = fields->text("role").value_or("");
  wanted.sandbox = fields->boolean("sandbox").value_or(false);
  if (const auto expires = fields->text("expires_at")) {
    wanted.expires_at = parse_rfc3339(*expires);
    if (!wanted.expires_at) {
      fields->refuse(invalid("expires_at_invalid", "expires_at",
                             "expires_at must be an RFC 3339 time such as 2030-01-31T00:00:00Z."));
    }
  }
  if (const auto ok = fields->finish(); !ok) return ok.error();
  const auto made = call.use.keys.create(call.caller, wanted);
  if (!made) return made.error();
  JsonWriter out;
  begin_key(out, made->key);
  out.member("key", made->text);
  out.end_object();
  return json_response(201, out.take());
}

Result<HttpResponse> revoke(const Call& call) {
  const auto key = call.use.keys.revoke(call.caller, call.path["name"]);
  if (!key) return key.error();
  JsonWriter out;
  begin_key(out, *key);
  out.end_object();
  return json_response(200, out.take());
}

}  // namespace postern::native_keys
