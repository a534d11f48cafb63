// The bodies of POST /v1/tasks, in all dialects.
#include "fcgi/dialects/asyncjobs/wire.h"
#include "fcgi/dialects/asyncqueue/wire.h"
#include "fcgi/dialects/native/queues.h"
#include "fcgi/dialects/native/wire.h"
#include "fcgi/dialects/taskmq/wire.h"
#include "tests/fuzz/fuzz.h"

using namespace postern;
using fuzz::require;

namespace {

void check(const Creation& wanted, std::string_view text) {
  if (wanted.body && wanted.body_form == BodyForm::payload) {
    require(text.find(*wanted.body) != std::string_view::npos || text.find("base64") != text.npos,
            "a payload is a part of the request, byte for byte");
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text_of(data, size);
  if (const auto wanted = native_wire::parse_creation(text)) check(*wanted, text);
  if (const auto wanted = asyncqueue_wire::parse_creation(text, "a secret")) check(*wanted, text);
  if (const auto wanted = asyncjobs_wire::parse_creation(text)) check(*wanted, text);
  if (const auto wanted = taskmq_wire::parse_job(text)) check(*wanted, text);
  (void)taskmq_wire::parse_job_id(text);
  (void)asyncqueue_wire::parse_signal(text);
  (void)native_wire::parse_queue(text, QueueSettings());
  return 0;
}
