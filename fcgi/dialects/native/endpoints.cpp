#include "fcgi/dialects/native/endpoints.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "core/model/validation.h"
#include "core/wire/endpoint_json.h"
#include "fcgi/api/creation.h"
#include "fcgi/api/endpoints.h"
#include "fcgi/api/use_cases.h"
#include "fcgi/dialects/answers.h"
#include "fcgi/dialects/native/wire.h"
#include "fcgi/dialects/table.h"
#include "fcgi/server/field_reader.h"
#include "fcgi/server/query.h"

namespace postern::native_endpoints {
namespace {

using namespace wire::endpoint_field;

constexpr int kMaxLimit = 100;
constexpr char kTestQueue[] = "endpoint-tests";
constexpr char kTestPayload[] = R"({"test":true})";

// A body that may be left out.
Result<FieldReader> parse_optional(std::string_view body) {
  return FieldReader::parse(body.empty() ? "{}" : body);
}

// null is the default: no limit, no header, POST.
EndpointSettings read_settings(FieldReader& fields) {
  EndpointSettings settings;
  settings.url = fields.text(kUrl);
  if (fields.has(kUrl) && !settings.url) {
    fields.refuse(invalid("url_required", "url", "url is required."));
  }
  settings.method = fields.text(kMethod);
  if (fields.has(kMethod) && !settings.method) settings.method = "POST";
  if (fields.has(kHeaders)) settings.headers = fields.headers(kHeaders);
  settings.paused = fields.boolean(kPaused);
  if (fields.has(kPaused) && !settings.paused) settings.paused = false;
  if (fields.has(kTimeout)) {
    auto& timeout = settings.timeout.emplace();
    // Cut, so that the milliseconds fit; it is refused all the same.
    constexpr std::int64_t kFar = 1'000'000'000;
    if (const auto seconds = fields.integer(kTimeout)) {
      timeout = Seconds{std::clamp(*seconds, -kFar, kFar)};
    }
  }
  if (fields.has(kMaxInFlight)) {
    settings.max_in_flight.emplace(fields.integer(kMaxInFlight));
  }
  if (fields.has(kRateLimit)) settings.rate_limit.emplace(fields.rate_limit(kRateLimit));
  return settings;
}

// The body of PUT and PATCH, whose path has the name already.
Result<EndpointSettings> parse_settings(const Call& call, bool may_drop_secret) {
  auto parsed = FieldReader::parse(call.request.body);
  if (!parsed) return parsed.error();
  FieldReader& fields = *parsed;
  if (const auto name = fields.text(kName)) {
    const auto spelled = endpoint_name(*name, "name");
    if (!spelled || endpoint_path_name(*spelled) != call.path["name"]) {
      fields.refuse(invalid("endpoint_name_differs", "name",
                            "name must be that of the path: endpoints cannot be renamed."));
    }
  }
  EndpointSettings settings = read_settings(fields);
  if (fields.has(kSecret) && may_drop_secret) settings.secret = "";
  if (fields.present(kSecret)) {
    fields.refuse(invalid("secret_invalid", "secret",
                          "A secret is given when the endpoint is created, or to its /rotate."));
  }
  if (const auto ok = fields.finish(); !ok) return ok.error();
  return settings;
}

// The object is left open, for what belongs to one answer alone.
void begin_endpoint(JsonWriter& out, const Endpoint& endpoint) {
  out.begin_object();
  wire::write_members(out, wire::endpoint_fields(), endpoint);
}

HttpResponse endpoint_response(int status, const Endpoint& endpoint) {
  JsonWriter out;
  begin_endpoint(out, endpoint);
  out.end_object();
  return json_response(status, out.take());
}

HttpResponse made_response(const Call& call, const Endpoint& endpoint) {
  HttpResponse response = endpoint_response(201, endpoint);
  response.header("Location", fmt::format("{}/v1/endpoints/{}", link_base(call.use, call.request),
                                          endpoint_path_name(endpoint.name)));
  return response;
}

Result<HttpResponse> set_paused(const Call& call, bool paused) {
  EndpointSettings settings;
  settings.paused = paused;
  const auto endpoint = call.use.endpoints.change(call.caller, call.path["name"], settings);
  if (!endpoint) return endpoint.error();
  return endpoint_response(200, *endpoint);
}

constexpr FieldNames kTestFields = [] {
  FieldNames fields{};
  fields.queue = "queue";
  fields.endpoint = "name";
  return fields;
}();

Result<Creation> parse_test(std::string_view body) {
  auto fields = parse_optional(body);
  if (!fields) return fields.error();
  Creation wanted;
  wanted.fields = &kTestFields;
  wanted.queue = fields->text("queue").value_or(kTestQueue);
  wanted.body = fields->object("payload", "payload_invalid").value_or(kTestPayload);
  if (const auto ok = fields->finish(); !ok) return ok.error();
  return wanted;
}

}  // namespace

Result<HttpResponse> create(const Call& call) {
  auto parsed = FieldReader::parse(call.request.body);
  if (!parsed) return parsed.error();
  FieldReader& fields = *parsed;
  const auto name = fields.text(kName);
  if (!name) {
    fields.refuse(invalid("endpoint_name_required", "name",
                          "name is required; \"*\" is the one for all tasks that no other fits."));
  }
  EndpointSettings settings = read_settings(fields);
  settings.secret = fields.text(kSecret);
  if (const auto ok = fields.finish(); !ok) return ok.error();
  const auto endpoint = call.use.endpoints.create(call.caller, *name, settings);
  if (!endpoint) return endpoint.error();
  return made_response(call, *endpoint);
}

Result<HttpResponse> list(const Call& call) {
  auto query = Query::parse(call.request.query);
  if (!query) return query.error();
  const int limit = query->count("limit", "limit_invalid", kMaxLimit, kMaxLimit);
  std::optional<std::string> after;
  if (const auto cursor = query->text("cursor")) {
    if (auto name = endpoint_name(*cursor, "cursor")) {
      after = std::move(*name);
    } else {
      query->refuse(
          invalid("cursor_invalid", "cursor", "cursor must be the next_cursor of another page."));
    }
  }
  if (const auto ok = query->finish(); !ok) return ok.error();

  const auto page = call.use.endpoints.list(call.caller, after, limit);
  JsonWriter out;
  out.begin_object().key("endpoints").begin_array();
  for (const auto& endpoint : page.endpoints) {
    begin_endpoint(out, endpoint);
    out.end_object();
  }
  out.end_array().member("count", static_cast<std::int64_t>(page.endpoints.size()));
  if (page.has_more) out.member("next_cursor", endpoint_path_name(page.endpoints.back().name));
  out.end_object();
  return json_response(200, out.take());
}

Result<HttpResponse> get(const Call& call) {
  const auto endpoint = call.use.endpoints.get(call.caller, call.path["name"]);
  if (!endpoint) return endpoint.error();
  JsonWriter out;
  begin_endpoint(out, *endpoint);
  out.key(kHealth);
  wire::write_object(out, wire::health_fields(), call.use.endpoints.health(call.caller, *endpoint));
  out.end_object();
  return json_response(200, out.take());
}

Result<HttpResponse> put(const Call& call) {
  const auto settings = parse_settings(call, false);
  if (!settings) return settings.error();
  const auto done = call.use.endpoints.put(call.caller, call.path["name"], *settings);
  if (!done) return done.error();
  return done->made ? made_response(call, done->endpoint) : endpoint_response(200, done->endpoint);
}

Result<HttpResponse> change(const Call& call) {
  const auto settings = parse_settings(call, true);
  if (!settings) return settings.error();
  const auto endpoint = call.use.endpoints.change(call.caller, call.path["name"], *settings);
  if (!endpoint) return endpoint.error();
  return endpoint_response(200, *endpoint);
}

Result<HttpResponse> remove(const Call& call) {
  if (const auto ok = call.use.endpoints.remove(call.caller, call.path["name"]); !ok) {
    return ok.error();
  }
  return HttpResponse{204, {}, {}};
}

Result<HttpResponse> rotate(const Call& call) {
  auto query = Query::parse(call.request.query);
  if (!query) return query.error();
  const bool force = query->flag("force", "force_invalid");
  if (const auto ok = query->finish(); !ok) return ok.error();
  auto fields = parse_optional(call.request.body);
  if (!fields) return fields.error();
  const auto secret = fields->text(kSecret);
  if (const auto ok = fields->finish(); !ok) return ok.error();

  const auto rotated = call.use.endpoints.rotate(call.caller, call.path["name"], secret, force);
  if (!rotated) return rotated.error();
  JsonWriter out;
  begin_endpoint(out, rotated->endpoint);
  out.member(kSecret, rotated->secret);
  out.end_object();
  return json_response(200, out.take());
}

Result<HttpResponse> pause(const Call& call) { return set_paused(call, true); }
Result<HttpResponse> resume(const Call& call) { return set_paused(call, false); }

Result<HttpResponse> recover(const Call& call) {
  auto fields = FieldReader::parse(call.request.body);
  if (!fields) return fields.error();
  const auto since = fields->time("since");
  const auto until = fields->time("until");
  const bool dry_run = fields->boolean("dry_run").value_or(false);
  if (const auto ok = fields->finish(); !ok) return ok.error();
  const auto done =
      call.use.endpoints.recover(call.caller, call.path["name"], since, until, dry_run);
  if (!done) return done.error();
  JsonWriter out;
  out.begin_object().member("count", done->count);
  if (dry_run) out.member("dry_run", true);
  if (done->more) out.member("more", true);
  out.end_object();
  return json_response(200, out.take());
}

void test(const Call& call, Finish finish) {
  auto wanted = parse_test(call.request.body);
  if (!wanted) return finish(wanted.error());
  wanted = call.use.endpoints.test(call.caller, call.path["name"], std::move(*wanted));
  if (!wanted) return finish(wanted.error());
  call.use.creation.create(call.caller, call.request, std::move(*wanted),
                           created_answer(call, std::move(finish)));
}

}  // namespace postern::native_endpoints
