// libfcgi itself behind our own accepting and waiting, driven by raw records.
#include "fcgi/server/fastcgi.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <atomic>
#include <filesystem>
#include <future>
#include <memory>
#include <random>
#include <set>
#include <thread>

#include "tests/fcgi/server/fcgi_client.h"

namespace postern::test {
namespace {

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

std::ptrdiff_t open_descriptors() {
  const std::filesystem::directory_iterator files("/proc/self/fd");
  return std::distance(begin(files), end(files));
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

TEST_F(FastCgiTest, HandsOverTheRequestAndSendsTheAnswer) {
  HttpRequest seen;
  start({.threads = 1}, [&](HttpRequest request, const Reply& reply) {
    seen = std::move(request);
    reply({201, {{"Location", "/here"}}, "made"});
  });
  const std::string long_value(300, 'q');
  EXPECT_EQ(
      client().ask("body", true, {{"DOCUMENT_URI", "/v1/tasks"}, {"QUERY_STRING", long_value}}),
      "Status: 201 Created\r\nLocation: /here\r\nContent-Length: 4\r\n\r\nmade");
  EXPECT_EQ(seen.method, "POST");
  EXPECT_EQ(seen.path, "/v1/tasks");
  EXPECT_EQ(seen.query, long_value);
  EXPECT_EQ(seen.body, "body");
}

TEST_F(FastCgiTest, KeepsConnectionsOverManyRequestsAndThreads) {
  std::mutex mutex;
  std::set<std::thread::id> threads;
  start({.threads = 4}, [&](const HttpRequest& request, const Reply& reply) {
    {
      const std::lock_guard lock(mutex);
      threads.insert(std::this_thread::get_id());
    }
    std::this_thread::sleep_for(100us);
    reply({200, {}, request.body});
  });
  std::vector<std::future<void>> clients;
  for (int i = 0; i < 8; ++i) {
    clients.push_back(std::async(std::launch::async, [this, i] {
      FcgiClient connection = client();
      for (int n = 0; n < 100; ++n) {
        const std::string body = std::to_string(i) + "/" + std::to_string(n);
        const auto answer = connection.ask(body);
        ASSERT_TRUE(answer && answer->ends_with("\r\n\r\n" + body)) << body;
      }
      EXPECT_LE(server_->connections(), 8);
    }));
  }
  for (auto& each : clients) each.get();
  EXPECT_GT(threads.size(), 1u);
  EXPECT_TRUE(soon([&] { return server_->connections() == 0; }));
}

TEST_F(FastCgiTest, IdleConnectionsHoldNoThread) {
  start(2);
  std::vector<FcgiClient> connections;
  for (int i = 0; i < 50; ++i) connections.push_back(client());
  for (int round = 0; round < 3; ++round) {
    for (FcgiClient& connection : connections) {
      ASSERT_TRUE(connection.ask("abc"));
    }
  }
  EXPECT_EQ(server_->connections(), 50);
}

TEST_F(FastCgiTest, ClosesConnectionsThatAreNotToBeKept) {
  start();
  FcgiClient connection = client();
  EXPECT_TRUE(connection.ask("abc", false));
  EXPECT_TRUE(connection.closes());
  EXPECT_TRUE(soon([&] { return server_->connections() == 0; }));
}

TEST_F(FastCgiTest, TakesBodiesOfAnySize) {
  start();
  FcgiClient connection = client();
  for (const std::size_t size :
       {0u, 1u, 8'191u, 8'192u, 65'535u, 65'536u, 524'288u, 524'289u, 1'048'576u}) {
    const std::string body(size, 'x');
    for (const bool with_length : {true, false}) {
      const std::string length = with_length ? std::to_string(size) : "";
      const auto answer = connection.ask(body, true, {{"CONTENT_LENGTH", length}});
      ASSERT_TRUE(answer) << size;
      EXPECT_TRUE(answer->ends_with("\r\n\r\n" + std::to_string(size))) << *answer;
    }
  }
}

TEST_F(FastCgiTest, ReadsTooLargeBodiesToTheirEnd) {
  start();
  FcgiClient connection = client();
  for (const std::size_t size : {1'048'577u, 5'000'000u}) {
    for (const std::string& length : {std::string(), std::to_string(size)}) {
      const auto answer =
          connection.ask(std::string(size, 'x'), true, {{"CONTENT_LENGTH", length}});
      ASSERT_TRUE(answer);
      EXPECT_TRUE(answer->ends_with("\r\n\r\n0 too large")) << *answer;
    }
  }
  EXPECT_TRUE(connection.ask("abc"));
}

TEST_F(FastCgiTest, SendsLargeAnswers) {
  const std::string large(3'000'000, 'y');
  start({.threads = 2}, [&](const HttpRequest&, const Reply& reply) { reply({200, {}, large}); });
  FcgiClient connection = client();
  for (int i = 0; i < 3; ++i) {
    const auto answer = connection.ask("");
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->substr(answer->size() - large.size()), large);
  }
}

TEST_F(FastCgiTest, ServesNothingThatIsNotWhole) {
  start();
  const std::string whole = request_text(std::string(20'000, 'x'));
  for (const std::size_t size :
       {std::size_t{1}, std::size_t{8}, std::size_t{15}, std::size_t{16}, std::size_t{30},
        std::size_t{100}, std::size_t{10'000}, whole.size() - 9, whole.size() - 1}) {
    FcgiClient connection = client();
    connection.send(whole.substr(0, size));
    connection.close();
  }
  FcgiClient half = client();
  half.send(whole.substr(0, 5'000));
  half.shut_writing();
  EXPECT_TRUE(half.closes());
  EXPECT_TRUE(soon([&] { return server_->connections() == 0; }));
  EXPECT_EQ(served_, 0);
  EXPECT_TRUE(client().ask("abc"));
}

TEST_F(FastCgiTest, ServesNothingWhoseLengthIsWrong) {
  start();
  for (const char* length : {"4", "2", "18446744073709551615", "-1", "3x"}) {
    FcgiClient connection = client();
    EXPECT_EQ(connection.ask("abc", true, {{"CONTENT_LENGTH", length}}), std::nullopt) << length;
  }
  EXPECT_EQ(served_, 0);
}

TEST_F(FastCgiTest, GivesUpAbortedRequests) {
  start();
  const std::string head =
      begin_record(true) + params_record({{"REQUEST_METHOD", "POST"}, {"CONTENT_LENGTH", "6"}});
  FcgiClient in_body = client();
  in_body.send(head + record(Record::input, "abc") + record(Record::abort, ""));
  EXPECT_TRUE(in_body.closes());
  FcgiClient before_params = client();
  before_params.send(begin_record(true) + record(Record::abort, ""));
  EXPECT_TRUE(before_params.closes());
  EXPECT_EQ(served_, 0);

  // After the answer it means nothing any more; the connection is good for another request, or is
  // closed.
  FcgiClient late = client();
  ASSERT_TRUE(late.ask("abc"));
  late.send(record(Record::abort, ""));
  late.ask("abc");
  EXPECT_TRUE(client().ask("abc"));
}

TEST_F(FastCgiTest, ClosesOnGarbage) {
  start();
  std::mt19937 random(20250115);
  const std::string whole = request_text("0123456789");
  for (int i = 0; i < 300; ++i) {
    FcgiClient connection = client();
    std::string bytes = i % 3 == 0 ? std::string(200, 'G') : whole;
    for (int n = 0; n < 1 + i % 7; ++n)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    connection.send(bytes);
    connection.shut_writing();
    connection.read_answer();  // whatever comes, it ends
  }
  EXPECT_TRUE(soon([&] { return server_->connections() == 0; }));
  EXPECT_TRUE(client().ask("abc"));
}

TEST_F(FastCgiTest, AnswersManagementRecords) {
  start();
  FcgiClient connection = client();
  const std::string wanted = std::string("\x0F\x00", 2) + "FCGI_MPXS_CONNS";
  ASSERT_TRUE(connection.send(record(Record::get_values, wanted, 0)));
  EXPECT_TRUE(connection.ask("abc"));
}

TEST_F(FastCgiTest, LeaksNoDescriptors) {
  start();
  ASSERT_TRUE(client().ask("abc"));
  ASSERT_TRUE(soon([&] { return server_->connections() == 0; }));
  const auto before = open_descriptors();
  for (int i = 0; i < 200; ++i) {
    FcgiClient kept = client(), closed = client(), garbage = client(), gone = client();
    ASSERT_TRUE(kept.ask("abc"));
    ASSERT_TRUE(closed.ask("abc", false));
    garbage.send("nonsense, which is no record");
    gone.send(begin_record(true));
  }
  ASSERT_TRUE(soon([&] { return server_->connections() == 0; }));
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(FastCgiTest, AnswersLaterFromAnyThread) {
  std::mutex mutex;
  std::vector<Reply> replies;
  start({.threads = 1}, [&](const HttpRequest&, Reply reply) {
    const std::lock_guard lock(mutex);
    replies.push_back(std::move(reply));
  });
  std::vector<FcgiClient> connections;
  for (int i = 0; i < 20; ++i) {
    connections.push_back(client());
    ASSERT_TRUE(connections.back().send(request_text("abc", i % 2 == 0)));
  }
  ASSERT_TRUE(soon([&] {
    const std::lock_guard lock(mutex);
    return replies.size() == 20;
  }));
  std::vector<std::function<void()>> answers;
  for (Reply& reply : replies)
    answers.emplace_back([reply = std::move(reply)] { reply({200, {}, "later"}); });
  replies.clear();
  queue_.add(std::move(answers));
  for (int i = 0; i < 20; ++i) {
    const auto answer = connections[static_cast<std::size_t>(i)].read_answer();
    ASSERT_TRUE(answer);
    EXPECT_TRUE(answer->ends_with("later"));
    if (i % 2 == 1) {
      EXPECT_TRUE(connections[static_cast<std::size_t>(i)].closes());
    }
  }
}

TEST_F(FastCgiTest, ClosesTheConnectionOfADroppedReply) {
  start({.threads = 1}, [&](const HttpRequest& request, const Reply&) {
    if (request.body == "throw") throw std::runtime_error("a fault");
  });
  EXPECT_EQ(client().ask("drop"), std::nullopt);
  EXPECT_EQ(client().ask("throw"), std::nullopt);
  EXPECT_TRUE(soon([&] { return server_->connections() == 0; }));
}

TEST_F(FastCgiTest, DrainsByServingKeptConnectionsUntilTheyAreClosed) {
  start();
  FcgiClient kept = client();
  ASSERT_TRUE(kept.ask("abc"));
  server_->drain();
  ASSERT_TRUE(soon([&] { return !client().connected(); }));
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(kept.ask("abc"));
  }
  EXPECT_EQ(done_.wait_for(50ms), std::future_status::timeout);
  kept.close();
  ASSERT_EQ(done_.wait_for(10s), std::future_status::ready);
  EXPECT_TRUE(done_.get());
}

TEST_F(FastCgiTest, GivesUpADrainAfterItsTime) {
  start({.threads = 2, .drain_timeout = Seconds{1}});
  FcgiClient kept = client();
  ASSERT_TRUE(kept.ask("abc"));
  server_->drain();
  ASSERT_EQ(done_.wait_for(10s), std::future_status::ready);
  EXPECT_FALSE(done_.get());
}

TEST_F(FastCgiTest, LeavesWaitingConnectionsToTheNextProcess) {
  // As under systemd: the socket stays open elsewhere.
  Listener listener = open_listener("unix:" + path_);
  const Fd held(dup(listener.fd.get()));
  const auto serve = [](const HttpRequest&, const Reply& reply) { reply({200, {}, "served"}); };
  const auto run = [&](Fd fd, FcgiClient* during) {
    FastCgiServer server({std::move(fd), false}, {.threads = 2}, queue_, serve);
    auto done = std::async(std::launch::async, [&] { return server.run(Fd()); });
    if (during != nullptr) {
      EXPECT_TRUE(during->read_answer());
      during->close();
    }
    server.drain();
    EXPECT_TRUE(done.get());
  };
  run(std::move(listener.fd), nullptr);
  FcgiClient between = client();
  ASSERT_TRUE(between.connected());
  ASSERT_TRUE(between.send(request_text("abc")));
  run(Fd(dup(held.get())), &between);
}

TEST_F(FastCgiTest, ExitsWhenIdle) {
  start({.threads = 2, .idle_exit = Seconds{1}});
  FcgiClient connection = client();
  ASSERT_TRUE(connection.ask("abc"));
  EXPECT_EQ(done_.wait_for(2500ms), std::future_status::timeout);  // a kept connection is not idle
  connection.close();
  ASSERT_EQ(done_.wait_for(10s), std::future_status::ready);
  EXPECT_TRUE(done_.get());
}

TEST_F(FastCgiTest, TakesSigtermFromADescriptor) {
  // In a process of its own: the signals of this one are the test runner's.
  const pid_t child = fork();
  if (child == 0) {
    Fd signals = FastCgiServer::take_signals();
    RunQueue queue;
    FastCgiServer server(open_listener("unix:" + path_), {.threads = 2}, queue,
                         [](const HttpRequest&, const Reply& reply) {
                           reply({200, {}, "x"});
                         });
    std::_Exit(server.run(std::move(signals)) ? 0 : 1);
  }
  ASSERT_TRUE(soon([&] { return client().connected(); }));
  FcgiClient kept = client();
  ASSERT_TRUE(kept.ask("abc"));
  kill(child, SIGHUP);
  kill(child, SIGTERM);
  ASSERT_TRUE(soon([&] { return !client().connected(); }));
  EXPECT_TRUE(kept.ask("abc"));
  kill(child, SIGTERM);  // the second: at once
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 1) << status;
}

// Answers with pieces of 10,000 bytes, `count` of them, and then as `end` says.
FastCgiServer::Serve pieces(int count, Piece end, std::atomic<int>& asked) {
  return [=, &asked](const HttpRequest&, const Reply& reply) {
    HttpResponse response;
    response.rest = [=, &asked, left = count](std::string& piece) mutable {
      ++asked;
      if (left-- == 0) return end;
      piece.assign(10'000, 'x');
      return Piece::text;
    };
    reply(response);
  };
}

TEST_F(FastCgiTest, WritesABodyPieceByPiece) {
  std::atomic<int> asked = 0;
  start({}, pieces(300, Piece::end, asked));
  FcgiClient one = client();
  for (int i = 0; i < 2; ++i) {  // the connection is kept
    const auto answer = one.ask("");
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->find("Content-Length"), answer->npos);
    EXPECT_EQ(answer->size() - answer->find("\r\n\r\n") - 4, 3'000'000u);
  }
}

TEST_F(FastCgiTest, ClosesWhenABodyCannotBeFinished) {
  std::atomic<int> asked = 0;
  start({}, pieces(3, Piece::broken, asked));
  EXPECT_FALSE(client().ask(""));
  stop();
  start({}, [](const HttpRequest&, const Reply& reply) {
    HttpResponse response;
    response.rest = [](std::string&) -> Piece { throw std::runtime_error("a fault"); };
    reply(response);
  });
  EXPECT_FALSE(client().ask(""));
  EXPECT_TRUE(soon([&] { return server_->connections() == 0; }));
}

TEST_F(FastCgiTest, AsksForNoMoreWhenTheClientHasGone) {
  std::atomic<int> asked = 0;
  start({}, pieces(1'000'000, Piece::end, asked));
  FcgiClient one = client();
  ASSERT_TRUE(one.send(request_text("")));
  ASSERT_TRUE(soon([&] { return asked > 1; }));
  one.close();
  EXPECT_TRUE(soon([&] { return server_->connections() == 0; }));
  EXPECT_LT(asked, 100'000);
}

TEST_F(FastCgiTest, MayTakeLargerBodiesOnOnePath) {
  start({.max_body = 10, .max_body_of = [](const HttpRequest& request) {
           return request.path == "/large" ? std::size_t{100'000} : std::size_t{10};
         }});
  EXPECT_NE(client().ask(std::string(50'000, 'x'))->find("too large"), std::string::npos);
  EXPECT_NE(
      client().ask(std::string(50'000, 'x'), true, {{"DOCUMENT_URI", "/large"}})->find("50000"),
      std::string::npos);
}

}  // namespace
}  // namespace postern::test
