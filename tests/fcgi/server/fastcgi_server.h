// A FastCGI server at a socket of its own, for a test to talk to by FcgiClient.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "fcgi/server/fastcgi.h"
#include "tests/fcgi/server/fcgi_client.h"

namespace postern::test {

using namespace std::chrono_literals;

// Waits until it is so, ten seconds at most.
template <class Condition>
bool soon(const Condition& condition) {
  const auto end = std::chrono::steady_clock::now() + 10s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(2ms);
  }
  return true;
}

class FastCgiTest : public ::testing::Test {
 protected:
  FastCgiTest() {
    folder_ =
        std::filesystem::temp_directory_path() / ("postern-fcgi-test-" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
    path_ = folder_ / "fcgi.sock";
  }
  ~FastCgiTest() override {
    stop();
    std::filesystem::remove_all(folder_);
  }

  // Answers with the length and the content of the body, unless the test says otherwise.
  void start(FastCgiServer::Options options, FastCgiServer::Serve serve = {}) {
    if (!serve) {
      serve = [this](const HttpRequest& request, const Reply& reply) {
        ++served_;
        reply({200,
               {},
               std::to_string(request.body.size()) + (request.body_too_large ? " too large" : "")});
      };
    }
    server_ = std::make_unique<FastCgiServer>(open_listener("unix:" + path_), options, queue_,
                                              std::move(serve));
    done_ = std::async(std::launch::async, [this] { return server_->run(Fd()); });
  }
  void start(int threads = 4) { start({.threads = threads, .max_body = 1024 * 1024}); }

  void stop() {
    if (!server_) return;
    server_->drain();
    if (done_.valid()) done_.wait();
    server_.reset();
  }

  FcgiClient client() const { return FcgiClient(path_); }

  std::filesystem::path folder_;
  std::string path_;
  RunQueue queue_;
  std::atomic<int> served_ = 0;
  std::unique_ptr<FastCgiServer> server_;
  std::future<bool> done_;
};

}  // namespace postern::test
