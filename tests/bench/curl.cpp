// bench-curl: posts webhooks with libcurl's multi interface, without database and signatures: the
// upper limit of a scheduler built on libcurl. Prints one JSON line.
#include <curl/curl.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "tests/bench/net.h"

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::uint16_t port = 0;
  std::size_t slots = 256;
  std::uint32_t hosts = 1;
  std::int64_t count = 40'000;
  double seconds = 30;
  std::string body;
};

std::size_t discard(char*, std::size_t size, std::size_t count, void*) { return size * count; }

// Headers of the same number and length as a webhook's, with dummy values.
curl_slist* webhook_headers() {
  curl_slist* list = nullptr;
  for (const char* header :
       {"Content-Type: application/json", "Postern-Attempt: 1", "Postern-Queue: bench",
        "webhook-id: task_01hzy3v7k2e8s9q4r5t6w7x8y9", "webhook-timestamp: 1700000000",
        "webhook-signature: v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="}) {
    list = curl_slist_append(list, header);
  }
  return list;
}

struct Run {
  std::int64_t done = 0;
  std::int64_t failed = 0;  // no answer, or not 200
  double seconds = 0;
};

Run post_all(const Options& options) {
  CURLM* multi = curl_multi_init();
  curl_slist* headers = webhook_headers();
  std::vector<CURL*> slots(options.slots);
  // Enough that connections are kept to all hosts.
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS,
                    static_cast<long>(options.slots + 2 * options.hosts));

  Run run;
  std::int64_t begun = 0;
  const auto begin = Clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(Clock::now() - begin).count(); };
  const auto start_next = [&](CURL* easy) {
    if (begun >= options.count || elapsed() > options.seconds) return;
    const auto host = static_cast<std::uint32_t>(1 + begun++ % options.hosts);
    const std::string url =
        "http://" + bench::loopback_name(host) + ":" + std::to_string(options.port) + "/";
    curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
    curl_multi_add_handle(multi, easy);
  };
  for (CURL*& easy : slots) {
    easy = curl_easy_init();
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(options.body.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, options.body.data());
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, discard);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 30'000L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    start_next(easy);
  }

  while (run.done < begun) {
    int running = 0;
    curl_multi_perform(multi, &running);
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi, &left)) {
      CURL* easy = message->easy_handle;
      long status = 0;
      curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
      if (message->data.result != CURLE_OK || status != 200) ++run.failed;
      ++run.done;
      curl_multi_remove_handle(multi, easy);
      start_next(easy);
    }
    if (run.done < begun) curl_multi_poll(multi, nullptr, 0, 100, nullptr);
  }
  run.seconds = elapsed();

  for (CURL* easy : slots) curl_easy_cleanup(easy);
  curl_slist_free_all(headers);
  curl_multi_cleanup(multi);
  return run;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("webhooks by bare libcurl to bench-receiver");
  app.add_option("--port", options.port)->required();
  app.add_option("--slots", options.slots, "calls under way at once");
  app.add_option("--hosts", options.hosts, "loopback addresses to take in turn")
      ->check(CLI::Range(1u, bench::kMaxHosts));
  app.add_option("--count", options.count);
  app.add_option("--seconds", options.seconds, "stop beginning calls then");
  app.add_option("--body", options.body);
  CLI11_PARSE(app, argc, argv);
  curl_global_init(CURL_GLOBAL_ALL);
  const Run run = post_all(options);
  std::printf("{\"answers\":%lld,\"failed\":%lld,\"seconds\":%.3f,\"per_second\":%.1f}\n",
              static_cast<long long>(run.done), static_cast<long long>(run.failed), run.seconds,
              run.seconds > 0 ? static_cast<double>(run.done) / run.seconds : 0);
  curl_global_cleanup();
}
