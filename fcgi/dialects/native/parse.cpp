#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "core/base/base64.h"
#include "core/model/priority.h"
#include "core/model/validation.h"
#include "fcgi/dialects/native/wire.h"
#include "fcgi/dialects/table.h"
#include "fcgi/server/field_reader.h"
#include "fcgi/server/query.h"

namespace postern::native_wire {
namespace {

using namespace wire::task_field;
using wire::kTaskNames;

constexpr int kMaxLimit = 100;
constexpr int kMaxStream = 100'000;
constexpr int kDefaultStream = 200;
constexpr std::int64_t kMaxOffset = 10'000;
constexpr std::int64_t kMaxWait = 25;

void read_timeout(FieldReader& fields, Creation& wanted) {
  const auto seconds = fields.integer(kTaskNames.timeout);
  if (!seconds) return;
  // Cut, so that the milliseconds fit; it is refused all the same.
  constexpr std::int64_t kFar = 1'000'000'000;
  wanted.timeout = Seconds{std::clamp(*seconds, -kFar, kFar)};
}

}  // namespace

Result<FieldReader> fields_of(const Call& call) {
  return call.dialect == Dialect::asyncjobs ? FieldReader::parse_as_go(call.request.body)
                                            : FieldReader::parse(call.request.body);
}

std::optional<int> read_priority(FieldReader& fields) {
  const auto priority = fields.integer(kPriority);
  if (!priority) return std::nullopt;
  if (*priority < kMinPriority || *priority > kMaxPriority) {
    fields.refuse(invalid("priority_out_of_range", "priority",
                          fmt::format("priority must be {} to {}; it is {}.", kMinPriority,
                                      kMaxPriority, *priority)));
    return std::nullopt;
  }
  return stored_priority(*priority);
}

// A payload is wrapped in the webhook's own JSON; a body goes out as it is. asyncjobs's payload may
// be any JSON.
void read_body(FieldReader& fields, Creation& wanted) {
  const auto payload = wanted.dialect == Dialect::asyncjobs
                           ? fields.json(kPayload)
                           : fields.object(kPayload, "payload_invalid");
  auto text = fields.text(kBody);
  const auto base64 = fields.text(kPayloadBase64);
  if (int{payload.has_value()} + int{text.has_value()} + int{base64.has_value()} > 1) {
    fields.refuse(invalid("payload_both_set", "payload",
                          "Give one of payload, body and payload_base64, not several."));
  }
  if (payload) {
    wanted.body = std::string(*payload);
    wanted.body_form = BodyForm::payload;
    wanted.content_type.clear();
  }
  if (text) wanted.body = std::move(*text);
  if (base64) {
    wanted.body = base64_decode_lines(*base64);
    if (!wanted.body) {
      fields.refuse(invalid("payload_base64_invalid", "payload_base64",
                            "payload_base64 must be base64 (RFC 4648) with padding."));
    }
  }
  if (text || base64) wanted.body_form = BodyForm::raw;

  const auto content_type = fields.text(kTaskNames.content_type);
  if (!content_type) return;
  if (wanted.body_form != BodyForm::raw) {
    fields.refuse(invalid("content_type_invalid", "content_type",
                          "content_type goes with body or payload_base64; a payload is always sent "
                          "as JSON."));
  }
  fields.require(check_content_type(*content_type, "content_type"));
  wanted.content_type = *content_type;
}

std::vector<State> states_of(std::string_view status) {
  // Delayed and waiting for a retry are both pending.
  if (status == "pending") return {State::ready, State::delayed};
  for (const State state :
       {State::active, State::blocked, State::completed, State::failed, State::cancelled}) {
    if (status == name(state)) return {state};
  }
  return {};
}

void read_reason(Query& query, std::optional<Reason>& into) {
  const auto word = query.text("reason");
  if (!word) return;
  const auto reason = filter_reason(*word);
  if (!reason) return query.refuse(reason.error());
  into = *reason;
}

Result<Reason> filter_reason(std::string_view word) {
  if (const auto reason = parse_reason(word)) return *reason;
  return invalid("reason_invalid", "reason",
                 fmt::format("reason must be one of {}.", fmt::join(reason_words(), ", ")));
}

namespace {

// By a word of another dialect's.
bool filter_by_any_status(db::TaskFilter& filter, std::string_view status) {
  for (const DialectTable* table : all_tables()) {
    if (table->filter_by_status != nullptr && table->filter_by_status(filter, status)) return true;
  }
  return false;
}

bool read_stream(Query& query) {
  const auto stream = query.text("stream");
  if (stream && *stream != "ndjson") {
    query.refuse(invalid("stream_invalid", "stream", "stream must be ndjson, or left out."));
  }
  return stream.has_value();
}

void read_pages(Query& query, db::TaskFilter& filter) {
  const bool stream = read_stream(query);
  if (stream) filter.limit = kDefaultStream;
  filter.limit =
      query.count("limit", "limit_invalid", stream ? kMaxStream : kMaxLimit, filter.limit);
  if (const auto offset = query.integer("offset", "offset_invalid")) {
    if (*offset < 0 || *offset > kMaxOffset) {
      query.refuse(invalid("offset_invalid", "offset",
                           fmt::format("offset must be 0 to {}. For what is further down, follow "
                                       "the cursor: pagination.next_cursor of one page is the "
                                       "parameter cursor of the next.",
                                       kMaxOffset)));
    }
    filter.offset = static_cast<int>(std::clamp<std::int64_t>(*offset, 0, kMaxOffset));
  }
  if (const auto cursor = query.text("cursor")) {
    filter.before = parse_task_id(*cursor);
    if (!filter.before) {
      query.refuse(
          invalid("cursor_invalid", "cursor", "cursor must be the next_cursor of another page."));
    } else if (filter.offset > 0) {
      query.refuse(invalid("cursor_invalid", "cursor", "cursor and offset do not go together."));
    }
  }
}

template <class T, class U>
void take(T& into, std::optional<U> value) {
  if (value) into = *std::move(value);
}

}  // namespace

void read_task_fields(FieldReader& fields, Creation& wanted) {
  wanted.fields = &kTaskNames;
  take(wanted.queue, fields.text(kTaskNames.queue));
  take(wanted.url, fields.text(kTaskNames.url));
  take(wanted.endpoint, fields.text(kTaskNames.endpoint));
  take(wanted.method, fields.text(kTaskNames.method));
  if (fields.present(kTaskNames.headers)) wanted.headers = fields.headers(kTaskNames.headers);
  read_body(fields, wanted);
  if (const auto priority = read_priority(fields)) wanted.priority = *priority;
  take(wanted.max_retries, fields.integer(kTaskNames.max_retries));
  take(wanted.retry_policy, fields.text_or_object(kTaskNames.retry_policy));
  read_timeout(fields, wanted);
  if (fields.present(kTaskNames.tags)) wanted.tags = fields.texts(kTaskNames.tags);
  take(wanted.key, fields.text(kTaskNames.key));
  take(wanted.on_complete_url, fields.text(kTaskNames.on_complete_url));
  take(wanted.on_failure_url, fields.text(kTaskNames.on_failure_url));
}

Result<Creation> parse_creation(std::string_view body) {
  Result<FieldReader> reader = FieldReader::parse(body);
  if (!reader) return reader.error();
  return parse_creation(*reader);
}

Result<Creation> parse_creation(FieldReader& fields) {
  Creation wanted;
  read_task_fields(fields, wanted);
  wanted.delay = fields.integer(kTaskNames.delay).value_or(0);
  wanted.run_at = fields.time(kTaskNames.run_at);
  wanted.deadline = fields.time(kTaskNames.deadline);
  wanted.dependencies = fields.texts(kTaskNames.dependencies);
  if (const auto ok = fields.finish(); !ok) return ok.error();
  return wanted;
}

namespace {

// A list of everything must not be the answer to who asks for some of it. Other parameters that
// nobody knows are ignored.
void refuse_fields(Query& query) {
  constexpr std::array<std::string_view, 4> kFilters{"queue", "status", "endpoint", "reason"};
  for (const auto& field : wire::task_fields()) {
    if (std::ranges::find(kFilters, field.name) != kFilters.end() || !query.has(field.name)) {
      continue;
    }
    query.refuse(invalid("filter_unknown", std::string(field.name),
                         fmt::format("Tasks are not listed by {}, but by queue, status, reason, "
                                     "tag, endpoint, created_since and created_until.",
                                     field.name)));
  }
}

}  // namespace

Result<db::TaskFilter> parse_filter(std::string_view text, bool every_dialect) {
  Result<Query> parsed = Query::parse(text);
  if (!parsed) return parsed.error();
  Query& query = *parsed;
  refuse_fields(query);
  db::TaskFilter filter;
  if (const auto queue = query.text("queue")) {
    query.require(check_queue_name(*queue, "queue"));
    filter.queue = *queue;
  }
  filter.created_since = query.time("created_since");
  filter.created_until = query.time("created_until");
  if (const auto status = query.text("status")) {
    filter.states = states_of(*status);
    const bool known =
        !filter.states.empty() || (every_dialect && filter_by_any_status(filter, *status));
    if (!known) {
      query.refuse(invalid("status_invalid", "status",
                           "status must be pending, active, completed, failed, blocked or "
                           "cancelled."));
    }
  }
  if (const auto tag = query.text("tag")) {
    query.require(check_tag(*tag, "tag"));
    filter.tag = *tag;
  }
  if (const auto endpoint = query.text("endpoint")) {
    query.require(check_name(*endpoint, "endpoint", "endpoint_invalid"));
    filter.endpoint = *endpoint;
  }
  read_reason(query, filter.reason);
  read_pages(query, filter);
  // Whoever pages by offset cannot go on from where a look ended; nor does who knows no more than
  // queues and states.
  const bool only_states = filter.tag.empty() && filter.endpoint.empty() && !filter.reason &&
                           !filter.created_since && !filter.created_until;
  if (!filter.before && (only_states || query.has("offset"))) filter.looks = db::kManyLooks;
  if (const auto ok = query.finish(); !ok) return ok.error();
  return filter;
}

Result<bool> parse_stream(std::string_view text) {
  Result<Query> query = Query::parse(text);
  if (!query) return query.error();
  const bool stream = read_stream(*query);
  if (const auto ok = query->finish(); !ok) return ok.error();
  return stream;
}

Result<Seconds> parse_wait(std::string_view text) {
  Result<Query> query = Query::parse(text);
  if (!query) return query.error();
  const auto wait = query->integer("wait", "wait_invalid");
  if (const auto ok = query->finish(); !ok) return ok.error();
  return Seconds{std::clamp<std::int64_t>(wait.value_or(0), 0, kMaxWait)};
}

}  // namespace postern::native_wire
