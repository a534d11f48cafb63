#include <curl/curl.h>

#include <memory>

#include "core/base/url.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace postern;
using fuzz::require;

// One part of a URL as libcurl reads it, for this is where the request will go.
std::string part_of(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, part == CURLUPART_PORT ? CURLU_DEFAULT_PORT : 0) != CURLUE_OK)
    return "";
  std::string copy(text);
  curl_free(text);
  return copy;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto url = parse_url(fuzz::text_of(data, size), "url");
  if (!url) return 0;
  const std::string canonical = url->canonical();
  const auto again = parse_url(canonical, "url");
  require(again && again->canonical() == canonical, "the canonical form is its own");
  require(again->host == url->host && again->port == url->port && again->path == url->path,
          "and means the same");
  require(url->port >= 1 && url->port <= 65535, "the port is one");
  require(!url->host.empty() && url->path.starts_with('/'), "host and path are there");

  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> theirs(curl_url(), curl_url_cleanup);
  require(curl_url_set(theirs.get(), CURLUPART_URL, canonical.c_str(), 0) == CURLUE_OK,
          "libcurl accepts it");
  require(part_of(theirs.get(), CURLUPART_SCHEME) == url->scheme, "with the same scheme");
  require(part_of(theirs.get(), CURLUPART_HOST) ==
              (url->is_ipv6_literal ? "[" + url->host + "]" : url->host),
          "the same host");
  require(part_of(theirs.get(), CURLUPART_PORT) == std::to_string(url->port), "the same port");
  require(part_of(theirs.get(), CURLUPART_USER).empty(), "and no user");
  return 0;
}
