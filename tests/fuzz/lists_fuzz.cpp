// The queries of all lists, cursors included.
#include "fcgi/dialects/asyncjobs/wire.h"
#include "fcgi/dialects/asyncqueue/wire.h"
#include "fcgi/dialects/native/schedules.h"
#include "fcgi/dialects/native/wire.h"
#include "tests/fuzz/fuzz.h"

using namespace postern;
using fuzz::require;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text_of(data, size);
  for (const bool every_dialect : {false, true}) {
    if (const auto filter = native_wire::parse_filter(text, every_dialect)) {
      require(filter->limit >= 1 && filter->offset >= 0, "a page has a size and a place");
      require(!filter->before || filter->offset == 0, "a cursor stands alone");
    }
  }
  if (const auto filter = asyncqueue_wire::parse_filter(text)) {
    require(filter->limit >= 1 && filter->offset >= 0, "so has AsyncQueue's");
  }
  (void)asyncjobs_wire::parse_list(text);
  (void)native_wire::parse_schedule_filter(text);
  (void)native_wire::parse_run_filter(text);
  (void)native_wire::parse_next(text);
  (void)native_wire::parse_wait(text);
  return 0;
}
