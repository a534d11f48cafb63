#include "core/wire/creation_json.h"

#include <stdexcept>

#include <boost/json.hpp>

#include "core/base/base64.h"
#include "core/base/json_writer.h"
#include "core/base/utf8.h"

namespace postern {
namespace {

constexpr FieldNames kFields{
    .url = "url",
    .timeout = "timeout_ms",
    .run_at = "run_at_us",
    .deadline = "deadline_us",
};
constexpr std::string_view kDialect = "dialect", kPriority = "priority", kBodyForm = "body_form",
                           kBody = "body", kBodyBase64 = "body_base64", kExtra = "extra";

void write_text(JsonWriter& out, std::string_view key, const std::string& text) {
  if (!text.empty()) out.member(key, text);
}

void write_texts(JsonWriter& out, std::string_view key, const std::vector<std::string>& texts) {
  if (texts.empty()) return;
  out.key(key).begin_array();
  for (const auto& text : texts) out.string(text);
  out.end_array();
}

// The members of an object, typed; nullopt for one that is absent.
class Members {
 public:
  explicit Members(const boost::json::object& object) : object_(object) {}

  std::optional<std::string> text(std::string_view key) const {
    const auto* value = object_.if_contains(key);
    if (value == nullptr) return std::nullopt;
    return std::string(value->as_string());
  }
  std::optional<std::int64_t> integer(std::string_view key) const {
    const auto* value = object_.if_contains(key);
    if (value == nullptr) return std::nullopt;
    return value->as_int64();
  }
  std::optional<Time> time(std::string_view key) const {
    const auto us = integer(key);
    if (!us) return std::nullopt;
    return Time{Microseconds{*us}};
  }
  std::vector<std::string> texts(std::string_view key) const {
    std::vector<std::string> out;
    if (const auto* value = object_.if_contains(key)) {
      for (const auto& each : value->as_array()) out.emplace_back(each.as_string());
    }
    return out;
  }
  Headers headers(std::string_view key) const {
    Headers out;
    if (const auto* value = object_.if_contains(key)) {
      for (const auto& each : value->as_array()) {
        const auto& pair = each.as_array();
        out.push_back({std::string(pair.at(0).as_string()), std::string(pair.at(1).as_string())});
      }
    }
    return out;
  }

 private:
  const boost::json::object& object_;
};

std::optional<std::string> body_of(const Members& members) {
  const auto base64 = members.text(kBodyBase64);
  if (!base64) return members.text(kBody);
  auto body = base64_decode(*base64);
  if (!body) throw std::runtime_error("its body is not base64");
  return body;
}

Creation read(const Members& members) {
  Creation out;
  out.fields = &kFields;
  if (const auto word = members.text(kDialect)) out.dialect = dialect_from(*word);
  out.queue = members.text(kFields.queue).value_or("");
  out.url = members.text(kFields.url).value_or("");
  out.endpoint = members.text(kFields.endpoint).value_or("");
  out.method = members.text(kFields.method);
  out.headers = members.headers(kFields.headers);
  if (const auto word = members.text(kBodyForm)) out.body_form = body_form_from(*word);
  out.body = body_of(members);
  out.content_type = members.text(kFields.content_type).value_or("");
  if (const auto number = members.integer(kPriority)) out.priority = static_cast<int>(*number);
  out.max_retries = members.integer(kFields.max_retries);
  out.retry_policy = members.text(kFields.retry_policy);
  if (const auto ms = members.integer(kFields.timeout)) out.timeout = Milliseconds{*ms};
  out.delay = members.integer(kFields.delay).value_or(0);
  out.run_at = members.time(kFields.run_at);
  out.deadline = members.time(kFields.deadline);
  out.tags = members.texts(kFields.tags);
  out.key = members.text(kFields.key).value_or("");
  out.dependencies = members.texts(kFields.dependencies);
  out.on_complete_url = members.text(kFields.on_complete_url).value_or("");
  out.on_failure_url = members.text(kFields.on_failure_url).value_or("");
  out.extra = members.text(kExtra).value_or("");
  return out;
}

}  // namespace

std::string creation_json(const Creation& creation) {
  JsonWriter out;
  out.begin_object();
  if (creation.dialect != Dialect::native) out.member(kDialect, name(creation.dialect));
  write_text(out, kFields.queue, creation.queue);
  write_text(out, kFields.url, creation.url);
  write_text(out, kFields.endpoint, creation.endpoint);
  if (creation.method) out.member(kFields.method, *creation.method);
  if (!creation.headers.empty()) {
    // Pairs, because an object would keep neither their order nor a name that occurs twice.
    out.key(kFields.headers).begin_array();
    for (const auto& header : creation.headers) {
      out.begin_array().string(header.name).string(header.value).end_array();
    }
    out.end_array();
  }
  if (creation.body_form != BodyForm::payload) out.member(kBodyForm, name(creation.body_form));
  if (creation.body) {
    is_utf8(*creation.body) ? out.member(kBody, *creation.body)
                            : out.member(kBodyBase64, base64_encode(*creation.body));
  }
  write_text(out, kFields.content_type, creation.content_type);
  out.member(kPriority, std::int64_t{creation.priority});
  if (creation.max_retries) out.member(kFields.max_retries, *creation.max_retries);
  if (creation.retry_policy) out.member(kFields.retry_policy, *creation.retry_policy);
  if (creation.timeout) out.member(kFields.timeout, std::int64_t{creation.timeout->count()});
  if (creation.delay != 0) out.member(kFields.delay, creation.delay);
  const auto write_time = [&](std::string_view key, const std::optional<Time>& time) {
    if (time) out.member(key, std::int64_t{time->time_since_epoch().count()});
  };
  write_time(kFields.run_at, creation.run_at);
  write_time(kFields.deadline, creation.deadline);
  write_texts(out, kFields.tags, creation.tags);
  write_text(out, kFields.key, creation.key);
  write_texts(out, kFields.dependencies, creation.dependencies);
  write_text(out, kFields.on_complete_url, creation.on_complete_url);
  write_text(out, kFields.on_failure_url, creation.on_failure_url);
  write_text(out, kExtra, creation.extra);
  out.end_object();
  return out.take();
}

Creation creation_from_json(std::string_view json) try {
  const auto value = boost::json::parse(json);
  return read(Members(value.as_object()));
} catch (const std::exception& fault) {
  throw std::runtime_error(std::string("a stored task cannot be read: ") + fault.what());
}

}  // namespace postern
