// Long polls, through the native dialect.
#include <algorithm>
#include <chrono>
#include <set>
#include <thread>

#include "tests/fcgi/wire.h"

namespace postern::test {
namespace {

using WaitersTest = WireTest;

TEST_F(WaitersTest, WaitsForAChange) {
  using Clock = std::chrono::steady_clock;
  const std::string id = create().text("id");
  const auto begun = Clock::now();
  EXPECT_EQ(ask("GET", "/v1/tasks/" + id + "?wait=1").text("status"), "pending");
  EXPECT_GE(Clock::now() - begun, std::chrono::milliseconds(990));

  auto waiting =
      std::async(std::launch::async, [&] { return ask("GET", "/v1/tasks/" + id + "?wait=25"); });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_EQ(ask("POST", "/v1/tasks/" + id + "/cancel").status, 200);
  ASSERT_EQ(waiting.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  EXPECT_EQ(waiting.get().text("status"), "cancelled");

  // What is over is over; what goes away is gone.
  EXPECT_EQ(ask("GET", "/v1/tasks/" + id + "?wait=25").text("status"), "cancelled");
  const std::string other = create().text("id");
  auto gone =
      std::async(std::launch::async, [&] { return ask("GET", "/v1/tasks/" + other + "?wait=25"); });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_EQ(ask("DELETE", "/v1/tasks/" + other).status, 204);
  ASSERT_EQ(gone.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  EXPECT_EQ(gone.get().status, 404);
  EXPECT_EQ(ask("GET", "/v1/tasks/" + other + "?wait=x").reason(), "wait_invalid");
}

TEST_F(WaitersTest, AnswersAtOnceWhenTooManyOfATenantWait) {
  admin_.script("INSERT INTO postern.tenant (name) VALUES ('acme')");
  start({.max_waiters = 3});
  const std::string path = "/v1/tasks/" + create().text("id");
  std::vector<std::future<Answer>> waiting;
  for (int i = 0; i < 3; ++i) {
    waiting.push_back(
        std::async(std::launch::async, [&] { return ask("GET", path + "?wait=25"); }));
  }
  // Whichever came last does not wait.
  const auto answered = [](const std::future<Answer>& each) {
    return each.wait_for(std::chrono::milliseconds(5)) == std::future_status::ready;
  };
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (std::ranges::count_if(waiting, answered) == 0) {
    ASSERT_LT(std::chrono::steady_clock::now(), limit) << "nobody was sent away";
  }
  // There is a place left for other tenants.
  HttpRequest of_acme = request(
      "POST", "/v1/tasks", R"({"queue":"q","webhook_url":"http://receiver.test/","delay":3600})");
  of_acme.key_tenant = "acme";
  const std::string theirs = ask(of_acme).text("id");
  of_acme.method = "GET";
  of_acme.path = "/v1/tasks/" + theirs;
  of_acme.query = "wait=1";
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(ask(of_acme).text("status"), "pending");
  EXPECT_GE(std::chrono::steady_clock::now() - begun, std::chrono::milliseconds(990));
  ask("POST", path + "/cancel");
  std::multiset<std::string> said;
  for (auto& each : waiting) said.insert(each.get().text("status"));
  EXPECT_EQ(said, (std::multiset<std::string>{"cancelled", "cancelled", "pending"}));
}

}  // namespace
}  // namespace postern::test
