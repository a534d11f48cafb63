#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "core/base/json.h"
#include "core/base/json_writer.h"
#include "core/base/text.h"
#include "core/model/queue.h"
#include "core/model/validation.h"
#include "core/time/isoformat.h"
#include "core/wire/taskmq.h"
#include "fcgi/dialects/taskmq/wire.h"
#include "fcgi/server/query.h"

namespace postern::taskmq_wire {
namespace {

constexpr FieldNames kFields{
    .url = "handler",
    .endpoint = "handler",
    .delay = "scheduled_for",
    .run_at = "scheduled_for",
    .repeat = "interval_seconds",
};

constexpr int kAttempts = 3;
constexpr std::int64_t kMaxHandler = 128;

std::optional<double> parse_real(std::string_view text) {
  double real = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), real);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return real;
}

// As Python's int() reads a text: with white space around it and with a plus sign.
std::string_view integer_text(std::string_view text) {
  text = trimmed(text);
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  return text;
}

// Seconds since 1970; what is too far away for that is told in smaller units, as pydantic 1 takes
// it: JavaScript's clients count in milliseconds.
std::optional<Time> time_of_number(double seconds) {
  constexpr double kFar = 2e10;  // the year 2603
  constexpr double kMost = 3e20;
  if (!(std::abs(seconds) <= kMost)) return std::nullopt;  // NaN, too
  while (std::abs(seconds) > kFar) seconds /= 1000;
  return Time{Microseconds{std::llround(std::max(seconds, 0.0) * 1e6)}};
}

// Reads the fields of a body one after the other and notes everything that is wrong. Values are
// taken as pydantic 1 takes them: a number may come as text, a text as a number.
class Fields {
 public:
  explicit Fields(std::vector<JsonMember> members) : members_(std::move(members)) {}

  void refuse(std::string_view field, std::string msg, std::string type, std::string ctx = {}) {
    mistakes_.push_back({fmt::format(R"("body",{})", json_quote(field)), std::move(msg),
                         std::move(type), std::move(ctx)});
  }
  // A bound, which stands at the end of what pydantic says about it.
  void refuse_limit(std::string_view field, std::string_view msg, std::int64_t limit,
                    std::string type) {
    refuse(field, fmt::format(fmt::runtime(msg), limit), std::move(type),
           fmt::format(R"({{"limit_value":{}}})", limit));
  }
  Mistakes take_mistakes() { return std::move(mistakes_); }
  bool good() const { return mistakes_.empty(); }

  enum class Need { required, not_null, optional };
  // The value's own bytes; nullopt when it is not there, which is noted where it matters.
  std::optional<std::string_view> value(std::string_view field, Need need) {
    const auto found = std::find_if(members_.begin(), members_.end(),
                                    [&](const JsonMember& each) { return each.key == field; });
    if (found == members_.end()) {
      if (need == Need::required) refuse(field, "field required", "value_error.missing");
      return std::nullopt;
    }
    if (json_kind(found->raw) != JsonKind::null) return found->raw;
    if (need != Need::optional) {
      refuse(field, "none is not an allowed value", "type_error.none.not_allowed");
    }
    return std::nullopt;
  }

  std::optional<std::string_view> object(std::string_view field) {
    const auto raw = value(field, Need::required);
    if (!raw || json_kind(*raw) == JsonKind::object) return raw;
    refuse(field, "value is not a valid dict", "type_error.dict");
    return std::nullopt;
  }

  std::optional<std::int64_t> integer(std::string_view field, Need need) {
    const auto raw = value(field, need);
    if (!raw) return std::nullopt;
    if (json_kind(*raw) == JsonKind::boolean) return *raw == "true" ? 1 : 0;
    if (json_kind(*raw) == JsonKind::string) {
      const auto decoded = json_string(*raw, field);
      const auto number = decoded ? parse_integer(integer_text(*decoded)) : std::nullopt;
      if (number) return number;
    }
    if (json_kind(*raw) == JsonKind::number) {
      if (const auto number = parse_integer(*raw)) return number;
      if (const double real = json_number(*raw); std::abs(real) < 1e15) {
        return static_cast<std::int64_t>(real);
      }
    }
    refuse(field, "value is not a valid integer", "type_error.integer");
    return std::nullopt;
  }

  std::optional<std::string> text(std::string_view field, Need need) {
    const auto raw = value(field, need);
    if (!raw) return std::nullopt;
    if (json_kind(*raw) == JsonKind::number) return std::string(*raw);
    if (json_kind(*raw) == JsonKind::string) {
      if (auto decoded = json_string(*raw, field)) return std::move(*decoded);
    }
    refuse(field, "str type expected", "type_error.str");
    return std::nullopt;
  }

  std::optional<Time> time(std::string_view field) {
    const auto given = value(field, Need::optional);
    if (!given) return std::nullopt;
    std::optional<Time> time;
    if (json_kind(*given) == JsonKind::number) {
      time = time_of_number(json_number(*given));
    } else if (json_kind(*given) == JsonKind::string) {
      if (auto decoded = json_string(*given, field)) {
        if (const auto real = parse_real(*decoded)) time = time_of_number(*real);
        if (!time) time = parse_isoformat(std::move(*decoded));
      }
    }
    if (!time) refuse(field, "invalid datetime format", "value_error.datetime");
    return time;
  }

 private:
  std::vector<JsonMember> members_;
  Mistakes mistakes_;
};

// As Python tells it, but counted in bytes, and without the document.
std::string place_in(std::string_view body, std::size_t at, std::string_view msg) {
  const std::string_view before = body.substr(0, at);
  const auto line = before.rfind('\n') + 1;  // 0 when there is none
  JsonWriter out;
  out.begin_object().member("msg", msg).member("pos", std::int64_t(at));
  out.member("lineno", 1 + std::count(before.begin(), before.end(), '\n'));
  out.member("colno", std::int64_t(at - line + 1)).end_object();
  return out.take();
}

Parsed<Fields> read(std::string_view body) {
  // Python reads it over, too.
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (body.starts_with(kByteOrderMark)) body.remove_prefix(kByteOrderMark.size());
  if (const auto text = trimmed(body); text.empty() || text == "null") {
    return Mistakes{{R"("body")", "field required", "value_error.missing"}};
  }
  auto members = parse_json_object(body);
  if (members) return Fields(std::move(*members));
  const Error& error = members.error();
  if (error.reason == "object_required") {
    return Mistakes{{R"("body")", "value is not a valid dict", "type_error.dict"}};
  }
  if (error.reason == "too_many_fields") {
    return Mistakes{{R"("body")", error.message, "value_error"}};
  }
  if (error.reason == "duplicate_field") {
    return Mistakes{{fmt::format(R"("body",{})", json_quote(error.field)), error.message,
                     "value_error.duplicate"}};
  }
  const std::size_t at = valid_json_bytes(body);
  return Mistakes{{fmt::format(R"("body",{})", at), error.message, "value_error.jsondecode",
                   place_in(body, at, error.message)}};
}

void read_handler(Fields& fields, Creation& wanted) {
  const auto handler = fields.text("handler", Fields::Need::required);
  if (!handler) return;
  wanted.endpoint = *handler;
  const bool has_control = std::any_of(handler->begin(), handler->end(),
                                       [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  if (handler->empty()) {
    fields.refuse_limit("handler", "ensure this value has at least {} characters", 1,
                        "value_error.any_str.min_length");
  } else if (std::ssize(*handler) > kMaxHandler) {
    fields.refuse_limit("handler", "ensure this value has at most {} bytes", kMaxHandler,
                        "value_error.any_str.max_length");
  } else if (has_control) {
    fields.refuse("handler", "ensure this value has no control characters", "value_error.str.regex",
                  R"({"pattern":"^[^\\u0000-\\u001f\\u007f]*$"})");
  }
}

// Any that a database's integer holds: TaskMQ's own column is one.
std::int64_t read_priority(Fields& fields) {
  constexpr std::int64_t kLeast = std::numeric_limits<std::int32_t>::min();
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  const auto priority = fields.integer("priority", Fields::Need::not_null).value_or(0);
  if (priority > kMost) {
    fields.refuse_limit("priority", "ensure this value is less than or equal to {}", kMost,
                        "value_error.number.not_le");
  } else if (priority < kLeast) {
    fields.refuse_limit("priority", "ensure this value is greater than or equal to {}", kLeast,
                        "value_error.number.not_ge");
  }
  return priority;
}

void read_retries(Fields& fields, Creation& wanted) {
  wanted.max_retries = kAttempts - 1;
  const auto policy = fields.text("retry_policy", Fields::Need::not_null).value_or("fixed");
  if (policy == "none") {
    wanted.retry_policy = policy;
  } else if (policy == "fixed" || policy == "exponential") {
    wanted.retry_policy = "taskmq-" + policy;
  } else {
    fields.refuse("retry_policy", "unexpected value; permitted: 'fixed', 'exponential', 'none'",
                  "value_error.const",
                  fmt::format(R"({{"given":{},"permitted":["fixed","exponential","none"]}})",
                              json_quote(policy)));
  }
}

void read_interval(Fields& fields, Creation& wanted) {
  const auto interval = fields.integer("interval_seconds", Fields::Need::optional);
  if (!interval) return;
  if (*interval < 1) {
    return fields.refuse_limit("interval_seconds", "ensure this value is greater than {}", 0,
                               "value_error.number.not_gt");
  }
  if (*interval > kMaxDelay.count()) {
    return fields.refuse_limit("interval_seconds", "ensure this value is less than or equal to {}",
                               kMaxDelay.count(), "value_error.number.not_le");
  }
  wanted.repeat = Seconds{*interval};
}

}  // namespace

Parsed<Creation> parse_job(std::string_view body) {
  auto reader = read(body);
  if (!reader) return reader.error();
  Fields& fields = *reader;
  Creation wanted;
  wanted.fields = &kFields;
  wanted.dialect = Dialect::taskmq;
  wanted.queue = traits(wanted.dialect).own_queue;
  if (const auto payload = fields.object("payload")) wanted.body = std::string(*payload);
  read_handler(fields, wanted);
  const std::int64_t priority = read_priority(fields);
  wanted.priority = priority_of_taskmq(priority);
  wanted.extra = taskmq_extra(priority);
  read_retries(fields, wanted);
  wanted.run_at = fields.time("scheduled_for");
  read_interval(fields, wanted);
  if (!fields.good()) return fields.take_mistakes();
  return wanted;
}

Parsed<std::int64_t> parse_job_id(std::string_view body) {
  auto fields = read(body);
  if (!fields) return fields.error();
  const auto id = fields->integer("job_id", Fields::Need::required);
  if (!fields->good()) return fields->take_mistakes();
  return Parsed<std::int64_t>(boost::system::in_place_value, *id);
}

}  // namespace postern::taskmq_wire
