// The options that are fields of a task, for the tables of whatever makes or changes one: `task
// add`, `task change`, and schedules.
#pragma once

#include "cli/objects/fields.h"

namespace postern::admin::task_option {

inline constexpr FieldOption kWebhookUrl{"--webhook-url", "webhook_url", Kind::text,
                                         "what is called"};
inline constexpr FieldOption kEndpoint{"--endpoint", "endpoint", Kind::text,
                                       "a named target instead"};
inline constexpr FieldOption kMethod{"--method", "method", Kind::text, "POST unless said"};
inline constexpr FieldOption kHeader{"--header", "headers", Kind::headers,
                                     "\"Name: value\"; may be given several times"};
inline constexpr FieldOption kPayload{"--payload", "payload", Kind::json,
                                      "a JSON object for the envelope"};
inline constexpr FieldOption kBody{"--body", "body", Kind::text,
                                   "a text that is sent as it is, instead"};
inline constexpr FieldOption kContentType{"--content-type", "content_type", Kind::text,
                                          "of the body"};
inline constexpr FieldOption kRunAt{"--run-at", "run_at", Kind::time,
                                    "when it may start: RFC 3339, or 5m from now"};
inline constexpr FieldOption kPriority{"--priority", "priority", Kind::number,
                                       "1 to 10, higher first"};
inline constexpr FieldOption kMaxRetries{"--max-retries", "max_retries", Kind::number,
                                         "0 to 100; the queue's unless said"};
inline constexpr FieldOption kRetryPolicy{"--retry-policy", "retry_policy", Kind::text_or_json,
                                          "a name, or JSON with intervals"};
inline constexpr FieldOption kTimeout{"--timeout", "timeout", Kind::seconds,
                                      "of one attempt, such as 30s"};
inline constexpr FieldOption kTag{"--tag", "tags", Kind::texts, "may be given several times"};
inline constexpr FieldOption kOrderingKey{"--ordering-key", "key", Kind::text,
                                          "one at a time and in order of those with the same"};

}  // namespace postern::admin::task_option
