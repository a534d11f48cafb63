#include "cli/api/http.h"

#include <curl/curl.h>

#include <algorithm>
#include <memory>
#include <string_view>

#include "core/base/text.h"

namespace postern::admin {
namespace {

constexpr long kConnectSeconds = 10;
constexpr std::size_t kMaxAnswer = 256 * 1024 * 1024;

std::size_t take_body(char* data, std::size_t, std::size_t size, void* into) {
  auto& body = static_cast<HttpAnswer*>(into)->body;
  if (body.size() + size > kMaxAnswer) return 0;
  body.append(data, size);
  return size;
}

std::size_t take_header(char* data, std::size_t, std::size_t size, void* into) {
  const std::string_view line = trimmed(std::string_view(data, size));
  const auto colon = line.find(':');
  if (colon != line.npos) {
    static_cast<HttpAnswer*>(into)->headers.emplace_back(line.substr(0, colon),
                                                         trimmed(line.substr(colon + 1)));
  }
  return size;
}

HttpFault::Kind kind_of(CURLcode code) {
  switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM: return HttpFault::Kind::tls;
    case CURLE_OPERATION_TIMEDOUT: return HttpFault::Kind::time;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT: return HttpFault::Kind::connection;
    default: return HttpFault::Kind::other;
  }
}

}  // namespace

struct HttpClient::Handle {
  std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl{curl_easy_init(), curl_easy_cleanup};
  char error[CURL_ERROR_SIZE] = {};  // libcurl writes to it as long as it lives
};

HttpClient::HttpClient() : handle_(std::make_unique<Handle>()) {}
HttpClient::~HttpClient() = default;

HttpAnswer HttpClient::ask(const HttpQuestion& question) {
  CURL* const curl = handle_->curl.get();
  curl_easy_reset(curl);
  curl_slist* lines = curl_slist_append(nullptr, "Expect:");
  for (const auto& header : question.headers) lines = curl_slist_append(lines, header.c_str());
  const std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers(lines,
                                                                            curl_slist_free_all);
  char* const error = handle_->error;
  *error = '\0';
  HttpAnswer answer;
  const auto set = [&](CURLoption option, auto value) { curl_easy_setopt(curl, option, value); };
  set(CURLOPT_URL, question.url.c_str());
  set(CURLOPT_CUSTOMREQUEST, question.method.c_str());
  set(CURLOPT_HTTPHEADER, headers.get());
  if (!question.body.empty() || question.method == "POST") {
    set(CURLOPT_POSTFIELDS, question.body.c_str());
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(question.body.size()));
  }
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_CONNECTTIMEOUT, std::min(kConnectSeconds, question.seconds));
  set(CURLOPT_TIMEOUT, question.seconds);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_USERAGENT, "postern/" POSTERN_VERSION);
  if (!question.ca_file.empty()) set(CURLOPT_CAINFO, question.ca_file.c_str());
  set(CURLOPT_ERRORBUFFER, error);
  set(CURLOPT_WRITEFUNCTION, take_body);
  set(CURLOPT_WRITEDATA, static_cast<void*>(&answer));
  set(CURLOPT_HEADERFUNCTION, take_header);
  set(CURLOPT_HEADERDATA, static_cast<void*>(&answer));
  if (const CURLcode code = curl_easy_perform(curl); code != CURLE_OK) {
    throw HttpFault(kind_of(code), *error != '\0' ? error : curl_easy_strerror(code));
  }
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  answer.status = static_cast<int>(status);
  return answer;
}

}  // namespace postern::admin
