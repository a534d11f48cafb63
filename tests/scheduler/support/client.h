// What the tests of HttpClient have in common: a client that may reach loopback, and requests for
// it.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "scheduler/http/client.h"

namespace postern::scheduler::test {

inline AddressPolicy policy_allowing(const std::vector<std::string>& cidrs) {
  return AddressPolicy::make(cidrs).value();
}

inline OutgoingRequest request_to(const std::string& url, std::string method = "POST",
                                  std::string body = "hello") {
  OutgoingRequest request;
  request.method = std::move(method);
  request.url = parse_url(url, "url").value();
  request.body = std::move(body);
  request.timeout = Milliseconds(10'000);
  return request;
}

inline const char* name(HttpResult::Kind kind) {
  switch (kind) {
    case HttpResult::Kind::answered: return "answered";
    case HttpResult::Kind::timed_out: return "timed_out";
    case HttpResult::Kind::name_not_resolved: return "name_not_resolved";
    case HttpResult::Kind::egress_denied: return "egress_denied";
    case HttpResult::Kind::not_connected: return "not_connected";
    case HttpResult::Kind::broken: return "broken";
  }
  return "?";
}

// "answered 200 hello", "broken: the connection was closed before an answer came", ...
inline std::string summary(const HttpResult& result) {
  if (result.kind == HttpResult::Kind::answered && result.error.empty()) {
    return fmt::format("answered {} {}", result.status, result.body);
  }
  return fmt::format("{}: {}", name(result.kind), result.error);
}

struct Client {
  explicit Client(HttpClient::Options options = {},
                  const std::vector<std::string>& allowed = {"127.0.0.0/8"})
      : policy(policy_allowing(allowed)), http(with_user_agent(std::move(options)), policy) {}

  // Waits for the results of all transfers, by id. A transfer that outlives its own timeout by far
  // fails the test.
  std::map<std::uint64_t, HttpResult> finish_all() {
    std::map<std::uint64_t, HttpResult> results;
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    do {
      http.wait({}, Milliseconds(1000));
      for (auto& finished : http.take_finished()) {
        results[finished.id] = std::move(finished.result);
      }
      if (std::chrono::steady_clock::now() > limit) {
        ADD_FAILURE() << http.active() << " transfers do not end";
        break;
      }
    } while (http.active() > 0);
    return results;
  }

  HttpResult fetch(OutgoingRequest request) {
    http.start(1, std::move(request));
    return finish_all()[1];
  }

  static HttpClient::Options with_user_agent(HttpClient::Options options) {
    if (options.user_agent.empty()) options.user_agent = "Postern/test";
    return options;
  }

  CurlGlobal global;
  AddressPolicy policy;
  HttpClient http;
};

}  // namespace postern::scheduler::test
