// The whole of the handlers in process, against a real database: requests through dispatch(), as
// nginx would hand them over, without FastCGI in between.
#pragma once

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <chrono>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "db/pg/pool.h"
#include "fcgi/api/assembly.h"
#include "fcgi/dispatch.h"
#include "fcgi/intake/intake.h"
#include "tests/support/database.h"

namespace postern::test {

struct Answer {
  int status = 0;
  std::map<std::string, std::string> headers;
  std::string body;

  boost::json::object json() const { return boost::json::parse(body).as_object(); }
  // A member of the JSON by its path ("error/details/reason"); null when it is not there.
  boost::json::value at(std::string_view path) const {
    boost::json::error_code error;
    const boost::json::value whole = json();
    const auto* found = whole.find_pointer("/" + std::string(path), error);
    return found == nullptr ? boost::json::value(nullptr) : *found;
  }
  std::string text(std::string_view path) const {
    const auto value = at(path);
    return value.is_string() ? std::string(value.get_string()) : boost::json::serialize(value);
  }
  std::string reason() const { return text("error/details/reason"); }
  std::string field() const { return text("error/details/field"); }
};

// The handlers as main builds them.
class Handlers {
 public:
  struct Options {
    bool require_identity = true;
    OperatorSources operators = {};
    std::chrono::milliseconds health_kept{0};
    bool auto_create_queues = true;
    bool allow_create_default = false;
    std::string default_queue = {};
    bool ready_needs_scheduler = false;
    int max_waiters = 16;
    int max_streams = 16;
    Quotas::Limits quotas = {};
    std::string public_url = {};
    Uuid instance = {};
  };
  Handlers(const Options& options, db::Pool& pool, Intake& intake)
      : assembly_({.auto_create_queues = options.auto_create_queues,
                   .allow_create_default = options.allow_create_default,
                   .default_queue = options.default_queue,
                   .public_url = options.public_url,
                   .ready_needs_scheduler = options.ready_needs_scheduler,
                   .max_waiters = options.max_waiters,
                   .max_streams = options.max_streams,
                   .health_kept = options.health_kept,
                   .quotas = options.quotas,
                   .instance = options.instance},
                  {pool, pool, pool}, intake),
        dispatch_(assembly_.use_cases(),
                  {.admission = {.require_identity = options.require_identity,
                                 .operators = options.operators}}) {}

  void answer(const HttpRequest& request, const Reply& reply) const {
    dispatch_.answer(request, reply);
  }
  std::size_t max_body(const HttpRequest& request) const { return dispatch_.max_body(request); }

 private:
  Assembly assembly_;
  Dispatch dispatch_;
};

class WireTest : public ::testing::Test {
 protected:
  WireTest() { start({}); }

  // Starts the handlers again, with other options.
  void start(Handlers::Options options) {
    handlers_.reset();
    intake_.reset();
    options.instance = random_uuid();
    intake_ = std::make_unique<Intake>(Intake::Options{.database = database_.options("postern_api"),
                                                       .instance = options.instance,
                                                       .name = "test",
                                                       .idempotency_window = Seconds{600}});
    handlers_ = std::make_unique<Handlers>(options, pool_, *intake_);
    await_intake();
  }

  // Returns when the intake, which connects by itself, has done so: before that nothing is ready.
  void await_intake() const {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!intake_->connected()) {
      if (std::chrono::steady_clock::now() > limit) FAIL() << "the intake does not connect";
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  static HttpRequest request(std::string method, std::string path, std::string body = {}) {
    HttpRequest out;
    out.method = std::move(method);
    out.body = std::move(body);
    const auto question = path.find('?');
    out.path = path.substr(0, question);
    if (question != path.npos) out.query = path.substr(question + 1);
    out.verdict = Verdict::ok;
    out.identity = "tester";
    out.role = "admin";
    out.key_tenant = "default";
    out.request_id = "r";
    return out;
  }

  Answer ask(const HttpRequest& request) {
    const auto promise = std::make_shared<std::promise<HttpResponse>>();
    handlers_->answer(request,
                      [promise](const HttpResponse& response) { promise->set_value(response); });
    auto future = promise->get_future();
    if (future.wait_for(std::chrono::seconds(40)) != std::future_status::ready) {
      ADD_FAILURE() << "no answer to " << request.method << " " << request.path;
      return {};
    }
    const HttpResponse response = future.get();
    std::string body = response.body;
    if (response.rest) {
      for (std::string piece; response.rest(piece) == Piece::text;) body += piece;
    }
    return {response.status, {response.headers.begin(), response.headers.end()}, std::move(body)};
  }
  Answer ask(std::string method, std::string path, std::string body = {}) {
    return ask(request(std::move(method), std::move(path), std::move(body)));
  }

  // Creates a task with these fields (JSON members) and returns its id.
  Answer create(const std::string& fields = R"("payload":{"a":1})",
                const std::string& queue = "q") {
    return ask("POST", "/v1/tasks",
               R"({"queue":")" + queue + R"(","webhook_url":"http://receiver.test/","delay":3600)" +
                   (fields.empty() ? "" : "," + fields) + "}");
  }

  std::int64_t count(const std::string& sql) {
    return admin_.exec({"", sql.c_str()}).integer(0, 0);
  }

  Database database_;
  db::PgConnection admin_ = database_.connect();
  db::Pool pool_{database_.options("postern_api"), 8};
  std::unique_ptr<Intake> intake_;
  std::unique_ptr<Handlers> handlers_;
};

}  // namespace postern::test
