// libfcgi itself behind our own accepting and waiting, driven by raw records.
#include "fcgi/server/fastcgi.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <future>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "tests/fcgi/server/fastcgi_server.h"

namespace postern::test {
namespace {

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
