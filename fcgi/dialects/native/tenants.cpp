#include "fcgi/dialects/native/tenants.h"

#include "core/base/json_writer.h"
#include "core/model/validation.h"
#include "core/wire/values.h"
#include "fcgi/api/tenants.h"
#include "fcgi/api/use_cases.h"
#include "fcgi/server/field_reader.h"
#include "fcgi/server/query.h"

namespace postern::native_tenants {
namespace {

constexpr int kMaxLimit = 100;
constexpr int kUsualLimit = 50;

}  // namespace

Result<HttpResponse> list(const Call& call) {
  auto query = Query::parse(call.request.query);
  if (!query) return query.error();
  const int limit = query->count("limit", "limit_invalid", kMaxLimit, kUsualLimit);
  const auto cursor = query->text("cursor");
  if (cursor && !check_tenant(*cursor, "cursor")) {
    query->refuse(
        invalid("cursor_invalid", "cursor", "cursor must be the next_cursor of another page."));
  }
  if (const auto ok = query->finish(); !ok) return ok.error();
  const auto page = call.use.tenants.list(cursor.value_or(""), limit);
  JsonWriter out;
  out.begin_object().key("tenants").begin_array();
  for (const auto& tenant : page.tenants) {
    out.begin_object();
    out.member("name", tenant.name);
    out.key("created_at");
    wire::write_time(out, tenant.created_at);
    out.member("queues", tenant.queues);
    out.key("tasks_live");
    tenant.tasks_live ? out.number(*tenant.tasks_live) : out.null();
    out.member("keys", tenant.keys);
    out.end_object();
  }
  out.end_array();
  if (page.more) out.member("next_cursor", page.tenants.back().name);
  out.end_object();
  return json_response(200, out.take());
}

Result<HttpResponse> create(const Call& call) {
  auto fields = FieldReader::parse(call.request.body);
  if (!fields) return fields.error();
  const auto name = fields->text("name").value_or("");
  if (const auto ok = fields->finish(); !ok) return ok.error();
  const auto made = call.use.tenants.create(call.caller, name);
  if (!made) return made.error();
  JsonWriter out;
  out.begin_object().member("name", name).key("created_at");
  wire::write_time(out, *made);
  out.end_object();
  return json_response(201, out.take());
}

}  // namespace postern::native_tenants
