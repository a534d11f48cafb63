#include "cli/fetch.h"

#include <curl/curl.h>

#include <memory>

namespace postern::admin {
namespace {

constexpr std::size_t kMost = 64 * 1024 * 1024;

std::size_t take(char* data, std::size_t, std::size_t size, void* into) {
  auto& body = *static_cast<std::string*>(into);
  if (body.size() + size > kMost) return 0;
  body.append(data, size);
  return size;
}

}  // namespace

Fetched fetch(const std::string& url, const std::string& ca_file) {
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(),
                                                                 curl_easy_cleanup);
  char error[CURL_ERROR_SIZE] = {};
  Fetched out;
  const auto set = [&](CURLoption option, auto value) {
    curl_easy_setopt(curl.get(), option, value);
  };
  set(CURLOPT_URL, url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_TIMEOUT, 10L);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_USERAGENT, "postern/" POSTERN_VERSION);
  if (!ca_file.empty()) set(CURLOPT_CAINFO, ca_file.c_str());
  set(CURLOPT_ERRORBUFFER, error);
  set(CURLOPT_WRITEFUNCTION, take);
  set(CURLOPT_WRITEDATA, static_cast<void*>(&out.body));
  if (const CURLcode code = curl_easy_perform(curl.get()); code != CURLE_OK) {
    out.body = *error != '\0' ? error : curl_easy_strerror(code);
    return out;
  }
  long status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  out.status = static_cast<int>(status);
  return out;
}

}  // namespace postern::admin
