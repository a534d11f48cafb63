// What is broken, cut off or given up: nothing of it is served, and nothing is left behind.
#include "fcgi/server/fastcgi.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/fcgi/server/fastcgi_server.h"

namespace postern::test {
namespace {

std::ptrdiff_t open_descriptors() {
  const std::filesystem::directory_iterator files("/proc/self/fd");
  return std::distance(begin(files), end(files));
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

// libfcgi would end the process, or write past what it has.
TEST_F(FastCgiTest, ClosesOnLengthsThatNothingFollows) {
  start();
  const std::string huge("\xff\xff\xff\xff\xff\xff\xff\xffREST", 12);
  const std::string value(
      "\x01\xff\xff\xff\xff"
      "AB",
      7);
  const std::string short_by_one(
      "\x01\x03"
      "ABC",
      5);
  for (const std::string& params : {huge, value, short_by_one, std::string("\x80", 1)}) {
    FcgiClient connection = client();
    connection.send(begin_record(true) + record(Record::params, params) +
                    record(Record::params, "") + input_records("abc"));
    EXPECT_TRUE(connection.closes());
    FcgiClient aborted = client();
    aborted.send(begin_record(true) + record(Record::params, params) + record(Record::abort, ""));
    EXPECT_TRUE(aborted.closes());
    FcgiClient question = client();
    question.send(record(Record::get_values, params, 0));
    EXPECT_TRUE(question.closes());
  }
  EXPECT_EQ(served_, 0);
  EXPECT_TRUE(client().ask("abc"));
}

TEST_F(FastCgiTest, TakesAHeadInPieces) {
  start();
  const std::string whole = request_text("abc", false, {{"LONG", std::string(60'000, 'x')}});
  FcgiClient connection = client();
  for (std::size_t at = 0; at < whole.size(); at += 7'919) {
    connection.send(whole.substr(at, 7'919));
    std::this_thread::yield();
  }
  EXPECT_TRUE(connection.read_answer());
}

TEST_F(FastCgiTest, ServesNoMoreParametersThanNginxPasses) {
  start();
  std::string many;
  for (int i = 0; i < 3; ++i) {
    many += record(Record::params,
                   "\x01" + std::string("\x80\x00\xEA\x60", 4) + "N" + std::string(60'000, 'x'));
  }
  FcgiClient connection = client();
  connection.send(begin_record(true) + many);
  EXPECT_TRUE(connection.closes());
}

// A body that has no room is read and thrown away, and the connection is good for another request.
TEST_F(FastCgiTest, RefusesBodiesThatHaveNoRoom) {
  std::vector<Reply> held;
  std::vector<bool> no_room;
  std::mutex mutex;
  start({.threads = 4, .max_body = 1'000'000, .max_bodies_in_flight = 1'000'000},
        [&](const HttpRequest& request, Reply reply) {
          const std::lock_guard lock(mutex);
          no_room.push_back(request.no_room);
          EXPECT_EQ(request.body.empty(), request.no_room);
          if (request.body.size() > BodyBudget::kSmall) return held.push_back(std::move(reply));
          reply({request.no_room ? 503 : 200, {}, ""});
        });
  const auto release = [&] {
    ASSERT_TRUE(soon([&] {
      const std::lock_guard lock(mutex);
      return held.size() == 1;
    }));
    const std::lock_guard lock(mutex);
    queue_.add({[reply = held.front()] { reply({200, {}, ""}); }});
    held.clear();
  };
  FcgiClient first = client();
  first.send(request_text(std::string(600'000, 'x')));
  ASSERT_TRUE(soon([&] {
    const std::lock_guard lock(mutex);
    return held.size() == 1;
  }));
  FcgiClient second = client();
  EXPECT_NE(second.ask(std::string(600'000, 'x')).value_or("").find("503"), std::string::npos);
  EXPECT_NE(second.ask("small").value_or("").find("200"), std::string::npos);
  release();
  EXPECT_TRUE(first.read_answer());
  second.send(request_text(std::string(600'000, 'x')));
  release();
  EXPECT_TRUE(second.read_answer());
  const std::lock_guard lock(mutex);
  EXPECT_EQ(no_room, (std::vector{false, true, false, false}));
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

}  // namespace
}  // namespace postern::test
