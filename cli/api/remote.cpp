// The API over HTTP.
#include <algorithm>

#include <fmt/format.h>

#include "cli/api/http.h"
#include "cli/api/request.h"
#include "core/base/json.h"
#include "core/base/url.h"

namespace postern::admin {
namespace {

// Above what nginx gives the handlers (40 s), so that the answer is theirs.
constexpr long kSeconds = 60;
// An answer holds payloads of up to kMaxJsonDepth levels within its own.
constexpr std::size_t kMaxDepth = kMaxJsonDepth + 16;

class RemoteApi : public Api {
 public:
  explicit RemoteApi(const Remote& remote) : remote_(remote) {
    while (remote_.url.ends_with('/')) remote_.url.pop_back();
  }

  ApiAnswer ask(const ApiRequest& request) override {
    HttpQuestion question;
    question.method = request.method;
    question.url = remote_.url + encoded_path(request);
    if (!request.query.empty()) question.url += '?' + query_text(request);
    question.headers = {"Authorization: Bearer " + remote_.key, "Accept: application/json",
                        "Content-Type: application/json", "Postern-Dialect: native"};
    if (!request.idempotency_key.empty()) {
      question.headers.push_back("Idempotency-Key: " + request.idempotency_key);
    }
    question.body = request.body;
    question.ca_file = remote_.ca_file;
    question.seconds = kSeconds;
    try {
      auto answer = client_.ask(question);
      ApiAnswer taken{answer.status, std::move(answer.body), std::move(answer.headers)};
      check(taken);
      return taken;
    } catch (const HttpFault& fault) {
      throw ApiAway(sentence(fault));
    }
  }

 private:
  std::string sentence(const HttpFault& fault) const {
    switch (fault.kind) {
      case HttpFault::Kind::tls:
        return fmt::format(
            "no TLS with {}: {} (--ca-file names the certificates of an authority of your own)",
            remote_.url, fault.what());
      case HttpFault::Kind::time:
        return fmt::format("{} did not answer in time: {}; whether it acted is not known",
                           remote_.url, fault.what());
      case HttpFault::Kind::connection:
        return fmt::format("cannot connect to {}: {}", remote_.url, fault.what());
      case HttpFault::Kind::other: break;
    }
    return fmt::format("{} cannot be asked: {}", remote_.url, fault.what());
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
  HttpClient client_;
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
