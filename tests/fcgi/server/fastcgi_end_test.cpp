// How a server ends: drained, idle, by a signal, and what becomes of the connections.
#include "fcgi/server/fastcgi.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <chrono>
#include <cstdlib>
#include <future>

#include "tests/fcgi/server/fastcgi_server.h"

namespace postern::test {
namespace {

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
  start({.threads = 2, .idle_exit = Seconds{3}});
  FcgiClient connection = client();
  ASSERT_TRUE(connection.ask("abc"));
  EXPECT_EQ(done_.wait_for(5500ms), std::future_status::timeout);
  EXPECT_TRUE(client().ask("abc")) << "a kept connection is not idle";
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

}  // namespace
}  // namespace postern::test
