#include <algorithm>

#include "core/base/headers.h"
#include "core/base/headers_json.h"
#include "core/base/utf8.h"
#include "tests/fuzz/fuzz.h"

using namespace postern;
using fuzz::require;

// Lines of "name:value"; the line ends with a 0xff, because a name or value may hold anything else.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto rest = fuzz::text_of(data, size);
  (void)headers_from_json(rest);

  Headers headers;
  while (!rest.empty() && headers.size() < 60) {
    auto value = fuzz::next_part(rest, '\xff');
    const auto name = fuzz::next_part(value, ':');
    headers.push_back({std::string(name), std::string(value)});
  }
  if (!check_headers(headers, "headers")) return 0;
  require(headers.size() <= 50, "there are not too many");
  for (const auto& [name, value] : headers) {
    require(!name.empty() && name.size() <= 256 && value.size() <= 4096, "each has its size");
    for (const char c : name) require(c > ' ' && c < '\x7f' && c != ':', "a name breaks no line");
    for (const char c : value)
      require(c == '\t' || (static_cast<unsigned char>(c) >= ' ' && c != '\x7f'),
              "a value breaks no line");
  }
  // Both doors give text, and so does the store.
  if (std::ranges::all_of(headers, [](const Header& each) { return is_utf8(each.value); })) {
    require(headers_from_json(headers_json(headers)) == headers,
            "what is stored is what was given");
  }
  return 0;
}
