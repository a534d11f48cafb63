// Many tasks in one request.
#include <set>
#include <thread>

#include "tests/fcgi/wire.h"

namespace postern::test {
namespace {

constexpr std::string_view kGood = R"({"queue":"q","webhook_url":"http://a.test/","delay":3600})";

std::string batch_of(const std::vector<std::string>& items) {
  std::string out = "{\"tasks\":[";
  for (const auto& item : items) out += item + ",";
  if (out.back() == ',') out.pop_back();
  return out + "]}";
}

std::vector<std::string> many(std::size_t n) {
  return std::vector<std::string>(n, std::string(kGood));
}

// The good one with one more field.
std::string with(std::string_view field) {
  return std::string(kGood.substr(0, kGood.size() - 1)) + "," + std::string(field) + "}";
}

class BatchTest : public WireTest {
 protected:
  std::int64_t tasks() { return count("SELECT count(*) FROM postern.task"); }
  void make_bounded(const std::string& name, int most, bool discard_old = false) {
    admin_.script(
        "INSERT INTO postern.queue (tenant, name, max_entries, discard_old) VALUES ('default', '" +
        name + "', " + std::to_string(most) + (discard_old ? ", true)" : ", false)"));
  }
};

TEST_F(BatchTest, CreatesInTheOrderOfTheRequest) {
  std::vector<std::string> items;
  for (int i = 0; i < 1'000; ++i)
    items.push_back(with("\"payload\":{\"n\":" + std::to_string(i) + "}"));
  for (const char* path : {"/v1/tasks/batch", "/v1/tasks/batch?atomic=true"}) {
    const Answer answer = ask("POST", path, batch_of(items));
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.text("created"), "1000");
    EXPECT_EQ(answer.text("failed"), "0");
    const auto whole = answer.json();
    std::set<std::string> ids;
    int n = 0;
    for (const auto& result : whole.at("results").as_array()) {
      EXPECT_EQ(result.at("status"), "created");
      EXPECT_EQ(result.at("task").at("payload").at("n"), n++);
      ids.emplace(result.at("task").at("id").as_string());
    }
    EXPECT_EQ(ids.size(), 1'000u);
    EXPECT_EQ(ask("GET", "/v1/tasks/" + *ids.begin()).status, 200);
  }
  EXPECT_EQ(tasks(), 2'000);
  EXPECT_EQ(ask("GET", "/v1/info").text("task_count"), "2000");
}

TEST_F(BatchTest, TellsOfEachWhatIsWrongWithIt) {
  const Answer answer = ask(
      "POST", "/v1/tasks/batch",
      batch_of({std::string(kGood), with("\"priority\":11"), "7", "null", "{}", "[]",
                R"({"queue":"q","queue":"q"})", with("\"delai\":1"), with("\"endpoint\":\"none\""),
                R"({"queue":"q","endpoint":"none"})", std::string(kGood)}));
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.text("created"), "2");
  EXPECT_EQ(answer.text("failed"), "9");
  struct Case {
    std::string_view status, reason, field;
  };
  const Case cases[] = {{"created", "null", "null"},
                        {"failed", "priority_out_of_range", "priority"},
                        {"failed", "object_required", "null"},
                        {"failed", "object_required", "null"},
                        {"failed", "queue_name_required", "queue"},
                        {"failed", "object_required", "null"},
                        {"failed", "duplicate_field", "queue"},
                        {"failed", "unknown_field", "delai"},
                        {"failed", "target_both_set", "webhook_url"},
                        {"failed", "endpoint_not_found", "endpoint"},
                        {"created", "null", "null"}};
  for (std::size_t i = 0; i < std::size(cases); ++i) {
    const std::string at = "results/" + std::to_string(i);
    EXPECT_EQ(answer.text(at + "/status"), cases[i].status) << i;
    EXPECT_EQ(answer.text(at + "/error/details/reason"), cases[i].reason) << i;
    EXPECT_EQ(answer.text(at + "/error/details/field"), cases[i].field) << i;
  }
  EXPECT_EQ(tasks(), 2);
}

TEST_F(BatchTest, MakesAllOrNoneWhenAtomic) {
  struct Case {
    std::string item;
    std::string_view reason, field;
  };
  const Case cases[] = {
      {with("\"priority\":11"), "priority_out_of_range", "tasks[2].priority"},
      {"7", "object_required", "tasks[2]"},
      {"{}", "queue_name_required", "tasks[2].queue"},
      {R"({"queue":"q","endpoint":"none"})", "endpoint_not_found", "tasks[2].endpoint"},
      {with("\"headers\":{\"Host\":\"x\"}"), "header_reserved", "tasks[2].headers.Host"},
  };
  for (const auto& [item, reason, field] : cases) {
    const Answer answer =
        ask("POST", "/v1/tasks/batch?atomic=true",
            batch_of({std::string(kGood), std::string(kGood), item, with("\"priority\":0")}));
    EXPECT_EQ(answer.status, 400) << item;
    EXPECT_EQ(answer.text("error/code"), "invalid_argument") << item;
    EXPECT_EQ(answer.reason(), reason) << item;
    EXPECT_EQ(answer.field(), field) << item;
  }
  EXPECT_EQ(tasks(), 0);
}

TEST_F(BatchTest, RefusesWhatIsNoBatch) {
  struct Case {
    std::string path, body;
    std::string_view reason, field;
  };
  const std::string deep = std::string(70, '[') + std::string(70, ']');
  const Case cases[] = {
      {"", "", "invalid_json", "null"},
      {"", "[]", "object_required", "null"},
      {"", "{}", "tasks_required", "tasks"},
      {"", R"({"tasks":[]})", "tasks_required", "tasks"},
      {"", R"({"tasks":null})", "tasks_required", "tasks"},
      {"", R"({"tasks":{}})", "invalid_type", "tasks"},
      {"", R"({"tasks":"x"})", "invalid_type", "tasks"},
      {"", R"({"tasks":[{}],"atomic":true})", "unknown_field", "atomic"},
      {"", R"({"tasks":[{}],"tasks":[{}]})", "duplicate_field", "tasks"},
      {"", R"({"tasks":[{"payload":)" + deep + "}]}", "invalid_json", "null"},
      {"", batch_of(many(1'001)), "tasks_too_many", "tasks"},
      {"?atomic=yes", batch_of(many(1)), "atomic_invalid", "atomic"},
      {"?atomic=", batch_of(many(1)), "atomic_invalid", "atomic"},
      {"?atomic=true&atomic=true", batch_of(many(1)), "parameter_repeated", "atomic"},
  };
  for (const auto& [query, body, reason, field] : cases) {
    const Answer answer = ask("POST", "/v1/tasks/batch" + query, body);
    EXPECT_EQ(answer.status, 400) << body.substr(0, 60);
    EXPECT_EQ(answer.reason(), reason) << body.substr(0, 60);
    EXPECT_EQ(answer.field(), field) << body.substr(0, 60);
  }
  HttpRequest keyed = request("POST", "/v1/tasks/batch", batch_of(many(1)));
  keyed.idempotency_key = "k";
  EXPECT_EQ(ask(keyed).status, 400);
  EXPECT_EQ(ask(keyed).field(), "Idempotency-Key");
  EXPECT_EQ(tasks(), 0);

  HttpRequest reader = request("POST", "/v1/tasks/batch", batch_of(many(1)));
  reader.role = "worker";
  EXPECT_EQ(ask(reader).status, 403);
  EXPECT_EQ(ask("GET", "/v1/tasks/batch").reason(), "task_not_found");
  EXPECT_EQ(ask("PUT", "/v1/tasks/batch").status, 405);
}

TEST_F(BatchTest, TakesLargerBodiesThanOthers) {
  EXPECT_EQ(handlers_->max_body(request("POST", "/v1/tasks/batch")), 16u * 1024 * 1024);
  EXPECT_EQ(handlers_->max_body(request("POST", "/v1/tasks")), 512u * 1024);
  HttpRequest large = request("POST", "/v1/tasks/batch");
  large.body_too_large = true;
  EXPECT_NE(ask(large).body.find("larger than 16777216 bytes"), std::string::npos);
}

TEST_F(BatchTest, KeepsTheBoundOfAQueue) {
  make_bounded("small", 3);
  make_bounded("rolling", 2, true);
  const auto item = [](const std::string& queue) {
    return R"({"webhook_url":"http://a.test/","delay":3600,"queue":")" + queue + "\"}";
  };
  const std::string five =
      batch_of({item("small"), item("small"), item("rolling"), item("small"), item("small")});
  const Answer refused = ask("POST", "/v1/tasks/batch?atomic=true", five);
  EXPECT_EQ(refused.status, 409);
  EXPECT_EQ(refused.reason(), "queue_full");
  EXPECT_EQ(refused.field(), "tasks[4].queue");
  EXPECT_EQ(tasks(), 0);

  const Answer part = ask("POST", "/v1/tasks/batch", five);
  EXPECT_EQ(part.text("created"), "4");
  EXPECT_EQ(part.text("results/4/error/details/reason"), "queue_full");
  const Answer rolled =
      ask("POST", "/v1/tasks/batch?atomic=true", batch_of({item("rolling"), item("rolling")}));
  EXPECT_EQ(rolled.status, 200) << rolled.body;
  EXPECT_EQ(count("SELECT count(*) FROM postern.task WHERE queue = 'rolling'"), 2);
  EXPECT_EQ(count("SELECT count(*) FROM postern.task_finished WHERE reason = 'discarded'"), 1);
}

TEST_F(BatchTest, KeepsTheOrderOfKeys) {
  for (const char* path : {"/v1/tasks/batch", "/v1/tasks/batch?atomic=true"}) {
    std::vector<std::string> items;
    for (int i = 0; i < 500; ++i) {
      items.push_back(with("\"key\":\"k\",\"payload\":{\"n\":" + std::to_string(i) + "}"));
    }
    ASSERT_EQ(ask("POST", path, batch_of(items)).text("created"), "500");
  }
  EXPECT_EQ(
      count("SELECT count(*) FROM (SELECT row_number() OVER (ORDER BY key_seq) - 1 AS place,"
            " substring(convert_from(body, 'UTF8') FROM '\\d+')::int AS n FROM postern.task) s"
            " WHERE place % 500 = n"),
      1'000);
}

TEST_F(BatchTest, ManyAtOnceInManyQueuesDoNotWaitInACircle) {
  std::vector<std::thread> clients;
  std::atomic<int> created = 0;
  for (int client = 0; client < 6; ++client) {
    clients.emplace_back([&, client] {
      for (int round = 0; round < 5; ++round) {
        std::vector<std::string> items;
        for (int i = 0; i < 40; ++i) {
          items.push_back(R"({"webhook_url":"http://a.test/","queue":"q)" +
                          std::to_string((i * (client + 1) + round) % 17) + "\"}");
        }
        const Answer answer =
            ask("POST", client % 2 == 0 ? "/v1/tasks/batch" : "/v1/tasks/batch?atomic=true",
                batch_of(items));
        if (answer.status == 200) created += std::stoi(answer.text("created"));
      }
    });
  }
  for (auto& client : clients) client.join();
  EXPECT_EQ(created, 6 * 5 * 40);
  EXPECT_EQ(tasks(), created);
}

TEST_F(BatchTest, SaysSoWhenTheDatabaseIsAway) {
  ASSERT_EQ(ask("POST", "/v1/tasks/batch?atomic=true", batch_of(many(2))).status, 200);
  auto server = db::PgConnection::connect(server_options("postgres"));
  server.script("ALTER DATABASE " + database_.name() + " ALLOW_CONNECTIONS false");
  server.script("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '" +
                database_.name() + "'");
  for (const char* path : {"/v1/tasks/batch", "/v1/tasks/batch?atomic=true"}) {
    const Answer answer = ask("POST", path, batch_of(many(2)));
    // One by one, each is told so.
    EXPECT_EQ(
        answer.status == 200 ? answer.text("results/1/error/code") : answer.text("error/code"),
        "unavailable")
        << answer.body;
  }
  server.script("ALTER DATABASE " + database_.name() + " ALLOW_CONNECTIONS true");
  EXPECT_EQ(database_.connect().exec({"", "SELECT count(*) FROM postern.task"}).integer(0, 0), 2);
}

}  // namespace
}  // namespace postern::test
