#include "core/base/utf8.h"
#include "fcgi/server/query.h"
#include "tests/fuzz/fuzz.h"

using namespace postern;
using fuzz::require;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto query = Query::parse(fuzz::text_of(data, size));
  if (!query) return 0;
  for (const char* name : {"a", "limit", "status", "tag"}) {
    for (const auto& text : query->texts(name)) {
      require(is_utf8(text) && text.find('\0') == std::string::npos,
              "a value is fit for a text column");
    }
    require(query->has(name) == !query->texts(name).empty(), "a parameter is given or not");
  }
  (void)query->text("a");
  (void)query->integer("limit", "limit_invalid");
  (void)query->flag("status", "flag_invalid");
  (void)query->time("tag");
  (void)query->finish();
  return 0;
}
