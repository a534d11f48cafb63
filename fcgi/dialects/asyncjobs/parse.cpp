#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "core/base/base64.h"
#include "core/model/phase.h"
#include "core/model/validation.h"
#include "core/wire/asyncjobs.h"
#include "fcgi/dialects/asyncjobs/wire.h"
#include "fcgi/server/field_reader.h"
#include "fcgi/server/query.h"

namespace postern::asyncjobs_wire {
namespace {

constexpr FieldNames kFields{
    .url = "type",
    .endpoint = "type",
    .max_retries = "max_tries",
};

constexpr std::int64_t kDefaultTries = 10, kMostTries = 1000;
// An ed25519 signature in hexadecimal has 128. Lists answer it, so it must not be of any length.
constexpr std::size_t kMaxSignature = 1024;
constexpr std::int64_t kDefaultLimit = 200, kMostLimit = 1000;

void read_payload(FieldReader& fields, Creation& wanted) {
  const auto payload = fields.json("payload");
  const auto base64 = fields.text("payload_base64");
  if (payload && base64) {
    fields.refuse(invalid("payload_both_set", "payload",
                          "payload and payload_base64 are mutually exclusive."));
  }
  if (payload) wanted.body = std::string(*payload);
  if (!base64) return;
  wanted.body_form = BodyForm::raw;
  wanted.body = base64_decode_lines(*base64);
  if (!wanted.body) {
    fields.refuse(invalid("invalid_json", "payload_base64",
                          "payload_base64 must be base64 (RFC 4648) with padding."));
  }
}

void read_deadline(FieldReader& fields, Creation& wanted, AsyncJobsExtra& extra) {
  auto text = fields.text("deadline");
  if (!text) return;
  wanted.deadline = parse_rfc3339(*text);
  if (!wanted.deadline) {
    fields.refuse(
        invalid("invalid_json", "deadline", "deadline must be a time as 2025-01-15T10:30:00Z."));
  }
  extra.deadline = std::move(*text);
}

void read_signature(FieldReader& fields, AsyncJobsExtra& extra) {
  extra.signature = fields.text("signature").value_or("");
  if (extra.signature.size() > kMaxSignature) {
    fields.refuse(invalid("signature_too_long", "signature",
                          fmt::format("signature must be at most {} bytes.", kMaxSignature)));
  }
  if (extra.signature.find('\0') != std::string::npos) {
    fields.refuse(invalid("invalid_json", "signature", "signature must not hold a NUL."));
  }
}

}  // namespace

Result<Creation> parse_creation(std::string_view body) {
  Result<FieldReader> reader = FieldReader::parse_as_go(body);
  if (!reader) return reader.error();
  FieldReader& fields = *reader;
  Creation wanted;
  wanted.fields = &kFields;
  wanted.dialect = Dialect::asyncjobs;
  wanted.endpoint = fields.text("type").value_or("");
  fields.require(check_name(wanted.endpoint, "type", "task_type_invalid"));
  wanted.queue = fields.text("queue").value_or("");
  read_payload(fields, wanted);
  AsyncJobsExtra extra;
  read_deadline(fields, wanted, extra);
  const auto tries = fields.integer("max_tries").value_or(kDefaultTries);
  if (tries < 1 || tries > kMostTries) {
    fields.refuse(invalid("max_tries_invalid", "max_tries",
                          fmt::format("max_tries must be 1 to {}.", kMostTries)));
  }
  wanted.max_retries = std::clamp<std::int64_t>(tries, 1, kMostTries) - 1;
  wanted.dependencies = fields.texts("dependencies");
  wanted.load_results = fields.boolean("load_dependencies").value_or(false);
  read_signature(fields, extra);
  if (const auto ok = fields.finish(); !ok) return ok.error();
  wanted.extra = asyncjobs_extra(extra);
  return wanted;
}

Result<List> parse_list(std::string_view text) {
  Result<Query> parsed = Query::parse(text);
  if (!parsed) return parsed.error();
  Query& query = *parsed;
  for (const std::string_view each : {"state", "queue", "type", "cursor", "stream"}) {
    query.drop_empty(each);  // upstream compares them with ""
  }
  List list;
  db::TaskFilter& filter = list.filter;
  filter.oldest_first = true;
  filter.looks = db::kManyLooks;  // upstream's clients know no cursor
  for (const std::string& state : query.texts("state")) {
    const auto before = filter.phases.size();
    for (const Phase phase : kAllPhases) {
      if (asyncjobs_state(phase) == state) filter.phases.push_back(phase);
    }
    if (filter.phases.size() > before) continue;
    query.refuse(invalid("state_invalid", "state",
                         "state must be new, active, retry, expired, terminated, complete, "
                         "queue_error, blocked or unreachable."));
  }
  if (query.has("status")) {
    query.refuse(invalid("status_and_state", "status",
                         "status is of another API than state and type: give one of them."));
  }
  if (const auto queue = query.text("queue")) {
    query.require(check_queue_name(*queue, "queue"));
    filter.queue = *queue;
  }
  if (const auto type = query.text("type")) {
    query.require(check_name(*type, "type", "task_type_invalid"));
    filter.endpoint = *type;
  }
  filter.created_since = query.time("created_since");
  if (const auto cursor = query.text("cursor")) {
    filter.before = parse_task_id(*cursor);
    filter.looks = 1;
    if (!filter.before) {
      query.refuse(
          invalid("cursor_invalid", "cursor", "cursor must be the next_cursor of another list."));
    }
  }
  const auto limit = query.integer("limit", "limit_invalid").value_or(kDefaultLimit);
  if (limit < 1) query.refuse(invalid("limit_invalid", "limit", "limit must be positive."));
  filter.limit = static_cast<int>(std::clamp<std::int64_t>(limit, 1, kMostLimit));
  if (const auto stream = query.text("stream")) {
    list.stream = true;
    if (*stream != "ndjson") {
      query.refuse(invalid("stream_invalid", "stream", "stream must be ndjson, or left out."));
    }
  }
  if (const auto ok = query.finish(); !ok) return ok.error();
  return list;
}

}  // namespace postern::asyncjobs_wire
