// POST /v1/tasks/cancel and /v1/tasks/retry: {"ids":[...]} or {"filter":{...}}.
#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "core/base/json_writer.h"
#include "core/model/validation.h"
#include "fcgi/api/bulk.h"
#include "fcgi/api/use_cases.h"
#include "fcgi/dialects/native/tasks.h"
#include "fcgi/dialects/native/wire.h"

namespace postern::native_tasks {
namespace {

using db::BulkVerb;

struct Wanted {
  std::vector<std::string> ids;
  std::optional<db::TaskFilter> filter;
  bool dry_run = false;  // of a filter: only count
};

bool applies(BulkVerb verb, State state) {
  return verb == BulkVerb::retry ? is_finished(state)
                                 : !is_finished(state) && state != State::active;
}

void read_status(FieldReader& fields, BulkVerb verb, db::TaskFilter& filter) {
  const auto status = fields.text("status");
  if (!status) return;
  filter.states = native_wire::states_of(*status);
  if (!filter.states.empty() && applies(verb, filter.states.front())) return;
  fields.refuse(invalid("status_invalid", "status",
                        verb == BulkVerb::retry ? "status must be completed, failed or cancelled."
                                                : "status must be pending or blocked."));
}

// What waits has none.
void read_reason(FieldReader& fields, BulkVerb verb, db::TaskFilter& filter) {
  const auto word = fields.text("reason");
  if (!word) return;
  if (verb == BulkVerb::cancel) {
    fields.refuse(
        invalid("reason_invalid", "reason",
                "reason goes with finished tasks; those that can be cancelled have none."));
    return;
  }
  const auto reason = native_wire::filter_reason(*word);
  if (!reason) return fields.refuse(reason.error());
  filter.reason = *reason;
}

Result<db::TaskFilter> parse_filter(std::string_view object, BulkVerb verb) {
  Result<FieldReader> parsed = FieldReader::part(object, "");
  if (!parsed) return parsed.error();
  FieldReader& fields = *parsed;
  db::TaskFilter filter;
  if (const auto queue = fields.text("queue")) {
    fields.require(check_queue_name(*queue, "queue"));
    filter.queue = *queue;
  }
  read_status(fields, verb, filter);
  if (const auto tag = fields.text("tag")) {
    fields.require(check_tag(*tag, "tag"));
    filter.tag = *tag;
  }
  if (const auto endpoint = fields.text("endpoint")) {
    fields.require(check_name(*endpoint, "endpoint", "endpoint_invalid"));
    filter.endpoint = *endpoint;
  }
  read_reason(fields, verb, filter);
  filter.created_since = fields.time("created_since");
  filter.created_until = fields.time("created_until");
  const bool all = fields.boolean("all").value_or(false);
  if (const auto ok = fields.finish(); !ok) return ok.error();
  // A filter that was forgotten must not stand for everything.
  if (!all && filter.queue.empty() && filter.states.empty() && filter.tag.empty() &&
      filter.endpoint.empty() && !filter.reason && !filter.created_since && !filter.created_until) {
    return invalid("filter_required", "",
                   "The filter is empty. Say which tasks, as {\"queue\": \"emails\"}, or "
                   "{\"all\": true}.");
  }
  return filter;
}

Result<Wanted> parse(const Call& call, BulkVerb verb) {
  Result<FieldReader> parsed = native_wire::fields_of(call);
  if (!parsed) return parsed.error();
  FieldReader& fields = *parsed;
  Wanted wanted;
  wanted.ids = fields.texts("ids");
  // asyncjobs knows no filter: on its mount the field is one that nobody asks for.
  const bool has_filters = call.dialect != Dialect::asyncjobs;
  const auto filter = has_filters ? fields.object("filter", "invalid_type") : std::nullopt;
  if (!wanted.ids.empty() && filter) {
    fields.refuse(invalid("ids_and_filter", "filter", "Give ids or a filter, not both."));
  }
  if (has_filters) wanted.dry_run = fields.boolean("dry_run").value_or(false);
  if (wanted.dry_run && !filter) {
    fields.refuse(invalid("dry_run_invalid", "dry_run",
                          "dry_run goes with a filter: ids are counted already."));
  }
  if (const auto ok = fields.finish(); !ok) return ok.error();
  if (!filter) return wanted;
  Result<db::TaskFilter> read = parse_filter(*filter, verb);
  if (!read) {
    Error error = read.error();
    error.field = error.field.empty() ? "filter" : "filter." + error.field;
    return error;
  }
  wanted.filter = std::move(*read);
  return wanted;
}

// The error is a text, as asyncjobs has it; its clients cannot read anything else. It has no other
// members on its mount.
HttpResponse render(const Call& call, const std::vector<std::string>& ids,
                    const std::vector<Result<void>>& results) {
  JsonWriter out;
  out.begin_object().key("results").begin_array();
  for (std::size_t i = 0; i < ids.size(); ++i) {
    out.begin_object().member("id", ids[i]);
    if (results[i]) {
      out.member("status", "ok");
    } else {
      const Error& error = results[i].error();
      out.member("status", error.code == Errc::not_found ? "not_found" : "failed");
      out.member("error", error.message);
      if (call.dialect != Dialect::asyncjobs) {
        out.member("code", name(error.code)).member("reason", error.reason);
      }
    }
    out.end_object();
  }
  out.end_array().end_object();
  return json_response(200, out.take());
}

HttpResponse render(const BulkApi::Counted& counted) {
  JsonWriter out;
  out.begin_object().member("count", counted.count).member("dry_run", true);
  if (counted.estimated) out.member("estimated", true);
  out.end_object();
  return json_response(200, out.take());
}

Result<HttpResponse> carry_out(const Call& call, BulkVerb verb) {
  const Result<Wanted> wanted = parse(call, verb);
  if (!wanted) return wanted.error();
  if (!wanted->filter) {
    const auto results = call.use.bulk.each(call.caller, verb, wanted->ids, call.dialect);
    if (!results) return results.error();
    return render(call, wanted->ids, *results);
  }
  if (wanted->dry_run) return render(call.use.bulk.count(call.caller, verb, *wanted->filter));
  const auto swept = call.use.bulk.matching(call.caller, verb, *wanted->filter);
  if (!swept) return swept.error();
  JsonWriter out;
  out.begin_object().member("count", swept->count);
  if (swept->more) out.member("more", true);
  out.end_object();
  return json_response(200, out.take());
}

}  // namespace

Result<HttpResponse> cancel_many(const Call& call) { return carry_out(call, BulkVerb::cancel); }

Result<HttpResponse> retry_many(const Call& call) { return carry_out(call, BulkVerb::retry); }

}  // namespace postern::native_tasks
