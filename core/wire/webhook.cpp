#include "core/wire/webhook.h"

#include <array>
#include <cstddef>

#include "core/wire/asyncjobs.h"
#include "core/wire/asyncqueue.h"
#include "core/wire/native.h"
#include "core/wire/taskmq.h"

namespace postern {
namespace {

// In the order of Dialect.
constexpr std::array kForms{
    WebhookForm{
        .body = native_webhook,
        .callback_body = native_callback_body,
    },
    WebhookForm{
        .body = native_webhook,
        .headers = asyncqueue_webhook_headers,
        .callback_body = asyncqueue_callback_body,
        .callback_is_one_try = true,
    },
    WebhookForm{
        .body = taskmq_webhook,
        .no_endpoint = "Unknown handler: ",
        .callback_body = native_callback_body,
    },
    WebhookForm{
        .body = asyncjobs_webhook,
        .headers = asyncjobs_webhook_headers,
        .content_type = "application/json",
        .no_endpoint = "no handler for task type ",
        .error_header = "aj-error",
        .terminate_header = "aj-terminate",
        .callback_body = native_callback_body,
    },
};
static_assert(kForms.size() == kAllDialects.size());

}  // namespace

const WebhookForm& webhook_form(Dialect dialect) {
  return kForms[static_cast<std::size_t>(dialect)];
}

}  // namespace postern
