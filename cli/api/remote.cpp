// The API over HTTP, by libcurl.
#include <curl/curl.h>

#include <algorithm>
#include <cstdint>

#include <fmt/format.h>

#include "cli/api/request.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/base/url.h"

namespace postern::admin {
namespace {

constexpr long kConnectSeconds = 10;
// Above what nginx gives the handlers (40 s), so that the answer is theirs.
constexpr long kSeconds = 60;
constexpr std::size_t kMaxAnswer = 256 * 1024 * 1024;
// An answer holds payloads of up to kMaxJsonDepth levels within its own.
constexpr std::size_t kMaxDepth = kMaxJsonDepth + 16;

struct Incoming {
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
};

std::size_t take_body(char* data, std::size_t, std::size_t size, void* into) {
  auto& body = static_cast<Incoming*>(into)->body;
  if (body.size() + size > kMaxAnswer) return 0;
  body.append(data, size);
  return size;
}

std::size_t take_header(char* data, std::size_t, std::size_t size, void* into) {
  const std::string_view line = trimmed(std::string_view(data, size));
  const auto colon = line.find(':');
  if (colon != line.npos) {
    static_cast<Incoming*>(into)->headers.emplace_back(line.substr(0, colon),
                                                       trimmed(line.substr(colon + 1)));
  }
  return size;
}

std::string why(CURLcode code, const char* details) {
  return *details == '\0' ? curl_easy_strerror(code) : details;
}

class RemoteApi : public Api {
 public:
  explicit RemoteApi(const Remote& remote) : remote_(remote), curl_(curl_easy_init()) {
    while (remote_.url.ends_with('/')) remote_.url.pop_back();
  }
  ~RemoteApi() override { curl_easy_cleanup(curl_); }
  RemoteApi(const RemoteApi&) = delete;
  RemoteApi& operator=(const RemoteApi&) = delete;

  ApiAnswer ask(const ApiRequest& request) override {
    std::string url = remote_.url + encoded_path(request);
    if (!request.query.empty()) url += '?' + query_text(request);
    Incoming incoming;
    const CURLcode code = perform(request, url, incoming);
    if (code != CURLE_OK) throw ApiAway(sentence(code));
    ApiAnswer answer;
    long status = 0;
    curl_easy_getinfo(curl_, CURLINFO_RESPONSE_CODE, &status);
    answer.status = static_cast<int>(status);
    answer.body = std::move(incoming.body);
    answer.headers = std::move(incoming.headers);
    check(answer);
    return answer;
  }

 private:
  CURLcode perform(const ApiRequest& request, const std::string& url, Incoming& incoming) {
    curl_easy_reset(curl_);
    error_[0] = '\0';
    curl_slist* headers = nullptr;
    const auto add = [&](const std::string& line) {
      headers = curl_slist_append(headers, line.c_str());
    };
    add("Authorization: Bearer " + remote_.key);
    add("Accept: application/json");
    add("Content-Type: application/json");
    add("Expect:");
    if (!request.idempotency_key.empty()) add("Idempotency-Key: " + request.idempotency_key);
    const auto set = [&](CURLoption option, auto value) { curl_easy_setopt(curl_, option, value); };
    set(CURLOPT_URL, url.c_str());
    set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
    set(CURLOPT_HTTPHEADER, headers);
    if (!request.body.empty() || request.method == "POST") {
      set(CURLOPT_POSTFIELDS, request.body.c_str());
      set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    }
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
    set(CURLOPT_TIMEOUT, kSeconds);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_USERAGENT, "postern/" POSTERN_VERSION);
    if (!remote_.ca_file.empty()) set(CURLOPT_CAINFO, remote_.ca_file.c_str());
    set(CURLOPT_ERRORBUFFER, error_);
    set(CURLOPT_WRITEFUNCTION, take_body);
    set(CURLOPT_WRITEDATA, static_cast<void*>(&incoming));
    set(CURLOPT_HEADERFUNCTION, take_header);
    set(CURLOPT_HEADERDATA, static_cast<void*>(&incoming));
    const CURLcode code = curl_easy_perform(curl_);
    curl_slist_free_all(headers);
    return code;
  }

  std::string sentence(CURLcode code) const {
    const std::string details = why(code, error_);
    switch (code) {
      case CURLE_PEER_FAILED_VERIFICATION:
      case CURLE_SSL_CONNECT_ERROR:
      case CURLE_SSL_CACERT_BADFILE:
      case CURLE_SSL_CERTPROBLEM:
        return fmt::format(
            "no TLS with {}: {} (--ca-file names the certificates of an authority of your own)",
            remote_.url, details);
      case CURLE_OPERATION_TIMEDOUT:
        return fmt::format("{} did not answer in time: {}; whether it acted is not known",
                           remote_.url, details);
      case CURLE_COULDNT_RESOLVE_HOST:
      case CURLE_COULDNT_CONNECT:
        return fmt::format("cannot connect to {}: {}", remote_.url, details);
      default: return fmt::format("{} cannot be asked: {}", remote_.url, details);
    }
  }

  // What is no answer of the API's.
  void check(const ApiAnswer& answer) const {
    if (answer.status >= 300 && answer.status < 400) {
      throw ApiAway(fmt::format(
          "{} redirects to {}, where the key is not sent: is that the address to give as --url?",
          remote_.url, answer.header("location").value_or("another place")));
    }
    constexpr int kAccepted = 202, kNoContent = 204;
    if (answer.body.empty() && (answer.status == kAccepted || answer.status == kNoContent)) return;
    if (is_json(answer.body, kMaxDepth)) return;
    throw ApiAway(fmt::format(
        "{} answered {} with something that is not the API's: --url is what stands in front of "
        "/v1",
        remote_.url, answer.status));
  }

  Remote remote_;
  CURL* curl_;
  char error_[CURL_ERROR_SIZE] = {};
};

}  // namespace

std::unique_ptr<Api> remote_api(const Remote& remote) {
  const auto url = parse_url(remote.url, "--url");
  if (!url) throw std::invalid_argument("--url: " + url.error().message);
  if (remote.url.find_first_of("?#") != std::string::npos) {
    throw std::invalid_argument("--url: it is what stands in front of /v1, without a query");
  }
  const auto is_shown = [](char c) { return c > 0x20 && c < 0x7f; };
  if (remote.key.empty() || !std::all_of(remote.key.begin(), remote.key.end(), is_shown)) {
    throw std::invalid_argument(
        "the API wants a key: set POSTERN_KEY, or give --key-file or --key");
  }
  return std::make_unique<RemoteApi>(remote);
}

}  // namespace postern::admin
