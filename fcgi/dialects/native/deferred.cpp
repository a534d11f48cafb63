// What a receiver calls that answered 202 with Postern-Defer: POST /v1/tasks/{id}/complete, /fail
// and /heartbeat, with the token of its Postern-Complete-Url.
#include <utility>

#include "core/base/json_writer.h"
#include "fcgi/api/deferred.h"
#include "fcgi/api/use_cases.h"
#include "fcgi/dialects/native/tasks.h"
#include "fcgi/dialects/native/wire.h"
#include "fcgi/server/query.h"

namespace postern::native_tasks {
namespace {

// `token` is written to, since the subject only views it.
Result<DeferredApi::Subject> parse_subject(const Call& call, std::string& token) {
  Result<Query> query = Query::parse(call.request.query);
  if (!query) return query.error();
  token = query->text("token").value_or("");
  if (const auto ok = query->finish(); !ok) return ok.error();
  return DeferredApi::Subject{call.path["id"], token, call.request.tenant};
}

Result<HttpResponse> answer(const Result<State>& state) {
  if (!state) return state.error();
  JsonWriter out;
  out.begin_object().member("status", native_wire::status_of(*state)).end_object();
  return json_response(200, out.take());
}

}  // namespace

Result<HttpResponse> complete(const Call& call) {
  std::string token;
  const auto subject = parse_subject(call, token);
  if (!subject) return subject.error();
  const HttpRequest& request = call.request;
  return answer(call.use.deferred.complete(*subject, request.body, request.content_type));
}

Result<HttpResponse> fail(const Call& call) {
  std::string token;
  const auto subject = parse_subject(call, token);
  if (!subject) return subject.error();
  const std::string_view body = call.request.body;
  Result<FieldReader> fields = FieldReader::parse(body.empty() ? "{}" : body);
  if (!fields) return fields.error();
  const std::string error = fields->text("error").value_or("");
  const bool retry = fields->boolean("retry").value_or(true);
  if (const auto ok = fields->finish(); !ok) return ok.error();
  return answer(call.use.deferred.fail(*subject, error, retry));
}

Result<HttpResponse> heartbeat(const Call& call) {
  std::string token;
  const auto subject = parse_subject(call, token);
  if (!subject) return subject.error();
  Result<FieldReader> fields = FieldReader::parse(call.request.body);
  if (!fields) return fields.error();
  const auto seconds = fields->integer("seconds");
  if (!seconds) {
    fields->refuse(invalid("seconds_required", "seconds", "seconds is required: how long yet."));
  }
  if (const auto ok = fields->finish(); !ok) return ok.error();
  return answer(call.use.deferred.extend(*subject, *seconds));
}

}  // namespace postern::native_tasks
