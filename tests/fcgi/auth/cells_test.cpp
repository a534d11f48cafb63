// What a handler knows of other cells: verdicts that name one, keys that another has judged, and
// where tenants are.
#include <atomic>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "core/base/crypto.h"
#include "core/base/hex.h"
#include "db/catalog/keys.h"
#include "fcgi/auth/authenticator.h"
#include "fcgi/auth/key_review.h"
#include "fcgi/auth/placements.h"
#include "tests/fcgi/wire.h"
#include "tests/support/jwt.h"

namespace postern::test {
namespace {

using namespace std::chrono_literals;

class CellsTest : public WireTest {
 protected:
  const std::string kSecret = "a secret of thirty-two bytes at least";
  const JwtPolicy jwt_{{{kSecret}}};
  const std::string token_ =
      "Bearer " + make_jwt(R"({"exp":4102444800,"sub":"app","role":"admin"})", kSecret);
  Placements placements_{pool_, pool_, "eu1"};

  void SetUp() override {
    db::create_key(admin_, {sha256("key"), "ci", "worker", "default", false, std::nullopt});
  }
  void place(const std::string& state, const std::string& more = "") {
    admin_.script("UPDATE postern.tenant SET state = '" + state + "'" + more +
                  " WHERE name = 'default'");
  }
  void move_away() {
    place("moved", ", moved_to = 'us3', moved_url = 'https://us3.test', moved_at = now()");
  }
  std::map<std::string, std::string> verdict(Placements& placements, std::string authorization,
                                             std::string cell = {}) {
    HttpRequest question;
    question.service = "auth";
    question.authorization = std::move(authorization);
    question.cell = std::move(cell);
    const auto response = authenticate(pool_, jwt_, placements, question);
    std::map<std::string, std::string> out{response.headers.begin(), response.headers.end()};
    out["status"] = std::to_string(response.status);
    return out;
  }
  std::string state_of(Placements& placements) {
    const auto found = placements.of("default");
    return found ? std::to_string(static_cast<int>(found->state)) : "here";
  }
};

TEST_F(CellsTest, AVerdictNamesTheCellOfAKey) {
  auto answer = verdict(placements_, "Bearer key");
  EXPECT_EQ(answer.at("Postern-Cell"), "eu1");
  EXPECT_EQ(answer.count("Postern-Key"), 0u);
  EXPECT_EQ(answer.at("X-Accel-Expires"), "5");
  EXPECT_EQ(verdict(placements_, "Bearer key", "eu1").at("Postern-Cell"), "eu1");
  // A token does not say in which cell its tenant was made.
  EXPECT_EQ(verdict(placements_, token_).count("Postern-Cell"), 0u);
  EXPECT_EQ(verdict(placements_, token_).at("status"), "204");
  EXPECT_EQ(verdict(placements_, "Bearer wrong").count("Postern-Cell"), 0u);
  Placements only(pool_, pool_, "");
  EXPECT_EQ(verdict(only, "Bearer key").count("Postern-Cell"), 0u);
  EXPECT_EQ(verdict(only, "Bearer key").at("status"), "204");
}

TEST_F(CellsTest, ACellWithoutALabelVouchesForNoKeyWhereNginxTakesItForAnother) {
  Placements nameless(pool_, pool_, "");
  auto answer = verdict(nameless, "Bearer key", "us3");
  EXPECT_EQ(answer.at("status"), "503");
  EXPECT_EQ(answer.at("Postern-Reason"), "cell_mismatch");
  EXPECT_EQ(answer.at("X-Accel-Expires"), "0");
  EXPECT_EQ(answer.at("Postern-Role"), "");
  EXPECT_EQ(verdict(nameless, "Bearer wrong", "us3").at("status"), "401");
}

TEST_F(CellsTest, AVerdictNamesThePresentCellOfAMovedTenant) {
  move_away();
  auto answer = verdict(placements_, "Bearer key");
  EXPECT_EQ(answer.at("status"), "204");
  EXPECT_EQ(answer.at("Postern-Cell"), "us3");
  EXPECT_EQ(answer.at("Postern-Key"), to_hex(sha256("key")));
  EXPECT_EQ(answer.at("X-Accel-Expires"), "5");
  answer = verdict(placements_, token_);
  EXPECT_EQ(answer.at("Postern-Cell"), "us3");
  EXPECT_EQ(answer.count("Postern-Key"), 0u);
}

// While its rows are copied back, it is where it was.
TEST_F(CellsTest, AVerdictNamesThePresentCellOfATenantThatComesBack) {
  move_away();
  place("arriving");
  EXPECT_TRUE(placements_.is_elsewhere("default"));
  for (const std::string& credential : {std::string("Bearer key"), token_}) {
    auto answer = verdict(placements_, credential);
    EXPECT_EQ(answer.at("status"), "204");
    EXPECT_EQ(answer.at("Postern-Cell"), "us3");
    EXPECT_EQ(answer.count("Postern-Key"), credential == token_ ? 0u : 1u);
    EXPECT_EQ(answer.at("X-Accel-Expires"), "1");
  }
  place("here", ", moved_to = NULL, moved_url = NULL, moved_at = NULL");
  EXPECT_EQ(verdict(placements_, "Bearer key").at("Postern-Cell"), "eu1");
}

TEST_F(CellsTest, AVerdictIsKeptForASecondWhileItsTenantIsOnItsWay) {
  for (const char* state : {"arriving", "draining", "fenced"}) {
    place(state);
    Placements fresh(pool_, pool_, "eu1");
    for (const std::string& credential : {std::string("Bearer key"), token_}) {
      auto answer = verdict(fresh, credential);
      EXPECT_EQ(answer.at("X-Accel-Expires"), "1") << state;
      EXPECT_EQ(answer.count("Postern-Key"), 0u) << state;
    }
    EXPECT_EQ(verdict(fresh, "Bearer wrong").at("X-Accel-Expires"), "5");
  }
}

TEST_F(CellsTest, AKeyThatAnotherCellHasJudgedIsLookedUpHere) {
  KeyReview review(pool_);
  HttpRequest asked = request("GET", "/v1/tasks");
  asked.identity = "theirs";
  asked.role = "admin";
  asked.key_tenant = "acme";
  asked.operator_vouched = kVouchedByToken;
  const HttpRequest unhashed = asked;
  asked.key_hash = to_hex(sha256("key"));
  review.review(asked);
  EXPECT_EQ(asked.verdict, Verdict::ok);
  EXPECT_EQ(asked.identity, "ci");
  EXPECT_EQ(asked.role, "worker");
  EXPECT_EQ(asked.key_tenant, "default");
  EXPECT_EQ(asked.operator_vouched, "");

  for (const std::string& hash :
       {to_hex(sha256("other")), std::string("00"), std::string(64, 'x'), std::string(65, '0')}) {
    HttpRequest unknown = unhashed;
    unknown.key_hash = hash;
    review.review(unknown);
    EXPECT_EQ(unknown.verdict, Verdict::invalid) << hash;
    EXPECT_EQ(unknown.role + unknown.identity + unknown.key_tenant + unknown.operator_vouched, "");
    EXPECT_EQ(ask(unknown).status, 401);
    EXPECT_EQ(ask(unknown).reason(), "credential_invalid");
  }

  HttpRequest other = unhashed;  // judged here, or no key
  review.review(other);
  EXPECT_EQ(other.identity, "theirs");
  other.key_hash = to_hex(sha256("key"));
  other.verdict = Verdict::missing;
  review.review(other);
  EXPECT_EQ(other.verdict, Verdict::missing);
}

// Whose word makes an operator is each cell's own affair, whoever has judged the credential.
TEST_F(CellsTest, AnOperatorOfAnotherCellIsOneHereByOurSettingsAlone) {
  db::create_key(admin_, {sha256("boss"), "boss", "operator", "default", false, std::nullopt});
  HttpRequest key = request("GET", "/v1/tenants");
  key.key_hash = to_hex(sha256("boss"));
  KeyReview(pool_).review(key);
  EXPECT_EQ(key.role, "operator");
  HttpRequest token = request("GET", "/v1/tenants");
  token.role = "operator";
  token.operator_vouched = kVouchedByToken;
  struct Case {
    OperatorSources sources;
    int by_key, by_token;
  };
  for (const auto& [sources, by_key, by_token] :
       {Case{{.key = true}, 200, 403}, Case{{.key = false, .token = true}, 403, 200},
        Case{{.key = false}, 403, 403}, Case{{.key = true, .token = true}, 200, 200}}) {
    start({.operators = sources});
    EXPECT_EQ(ask(key).status, by_key);
    EXPECT_EQ(ask(token).status, by_token);
  }
  token.operator_vouched = '1';  // no source that there is
  EXPECT_EQ(ask(token).status, 403);
}

TEST_F(CellsTest, ARevokedKeyIsSeenByTheNextReviewAndALostDatabaseTold) {
  HttpRequest asked = request("GET", "/v1/tasks");
  asked.key_hash = to_hex(sha256("key"));
  db::revoke_key(admin_, "default", "ci");
  HttpRequest revoked = asked;
  KeyReview(pool_).review(revoked);
  EXPECT_EQ(revoked.verdict, Verdict::invalid);
  db::Pool nowhere([]() -> db::PgConnection { throw db::PgError("away", "", true); }, 1);
  KeyReview(nowhere).review(asked);
  EXPECT_EQ(asked.verdict, Verdict::unavailable);
  EXPECT_EQ(asked.role, "");
  EXPECT_EQ(ask(asked).status, 503);
}

TEST_F(CellsTest, WhereATenantIsIsSeenWithinASecondAndThenAtOnce) {
  // In one of three tries, since a busy machine may take its time.
  bool in_time = false;
  for (int tries = 0; tries < 3 && !in_time; ++tries) {
    place("here");
    Placements fresh(pool_, pool_, "eu1");
    EXPECT_EQ(state_of(fresh), "here");
    place("draining");
    const auto since = std::chrono::steady_clock::now();
    while (state_of(fresh) == "here") std::this_thread::sleep_for(5ms);
    in_time = std::chrono::steady_clock::now() - since < 1500ms;
  }
  EXPECT_TRUE(in_time);
  for (const char* state : {"fenced", "draining", "fenced"}) {
    place(state);
    EXPECT_EQ(placements_.of("default")->state == db::TenantState::fenced,
              state == std::string("fenced"));
  }
  move_away();
  EXPECT_TRUE(placements_.is_elsewhere("default"));
  EXPECT_EQ(placements_.of("default")->cell, "us3");
  EXPECT_EQ(placements_.of("default")->url, "https://us3.test");
  EXPECT_FALSE(placements_.of("nobody"));
  place("here", ", moved_to = NULL, moved_url = NULL, moved_at = NULL");
  EXPECT_EQ(state_of(placements_), "here");
}

// Who left before anybody looked is found by asking, and who was here by the next look, even when
// none saw them leave and however many go at once.
TEST_F(CellsTest, WhoHasLeftIsFoundHoweverManyHave) {
  const auto others = [&](int from, int to, const char* when) {
    admin_.script(fmt::format(
        "INSERT INTO postern.tenant (name, state, moved_to, moved_url, moved_at) SELECT 'm' || n, "
        "'moved', 'us3', 'https://us3.test', {} FROM generate_series({}, {}) n",
        when, from, to));
  };
  others(1, 10'000, "now() - interval '1 day'");
  for (const int at_once : {0, 1'500}) {
    EXPECT_EQ(state_of(placements_), "here");
    EXPECT_TRUE(placements_.is_elsewhere("m1"));
    EXPECT_TRUE(placements_.is_elsewhere("m10000"));
    if (at_once > 0) others(10'001, 10'000 + at_once, "now()");
    move_away();
    const auto since = std::chrono::steady_clock::now();
    while (!placements_.is_elsewhere("default")) {
      ASSERT_LT(std::chrono::steady_clock::now() - since, 10s);
      std::this_thread::sleep_for(5ms);
    }
    place("here", ", moved_to = NULL, moved_url = NULL, moved_at = NULL");
  }
}

TEST_F(CellsTest, ADatabaseThatIsAwayLeavesWhatWasKnown) {
  move_away();
  std::atomic<bool> away = false;
  db::Pool pool(
      [&] {
        if (away) throw db::PgError("away", "", true);
        return database_.connect("postern_api");
      },
      2);
  Placements placements(pool, pool, "eu1");
  EXPECT_TRUE(placements.is_elsewhere("default"));
  EXPECT_FALSE(placements.of("acme"));
  away = true;
  admin_.script(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'postern_api'");
  EXPECT_TRUE(placements.is_elsewhere("default"));
  EXPECT_FALSE(placements.of("acme"));
  EXPECT_THROW(placements.of("beta"), db::PgError) << "it may have left long ago";
}

// One that has left long ago would have an empty list here, and nothing of what it asks for.
TEST_F(CellsTest, WhoCannotBeAskedAboutIsNotTakenToBeHere) {
  admin_.script("INSERT INTO postern.tenant (name) VALUES ('acme'), ('beta')");
  move_away();
  db::Pool pool([&] { return database_.connect("postern_api"); }, 1);
  Placements placements(pool, pool, "eu1");
  EXPECT_TRUE(placements.is_elsewhere("default"));
  EXPECT_FALSE(placements.of("acme"));
  {
    const auto lent = pool.acquire();
    EXPECT_FALSE(placements.of("acme")) << "it was asked about";
    EXPECT_EQ(state_of(placements), std::to_string(static_cast<int>(db::TenantState::moved)));
    EXPECT_THROW(placements.of("beta"), db::AllConnectionsBusy);
    EXPECT_FALSE(placements.is_elsewhere("beta")) << "whoever watches asks again";
    HttpRequest question;
    question.service = "auth";
    question.authorization =
        "Bearer " +
        make_jwt(R"({"exp":4102444800,"sub":"app","role":"admin","tenant":"beta"})", kSecret);
    const auto verdict = authenticate(pool_, jwt_, placements, question);
    const std::map<std::string, std::string> of{verdict.headers.begin(), verdict.headers.end()};
    EXPECT_EQ(of.at("X-Accel-Expires"), "1");
  }
  EXPECT_FALSE(placements.of("beta"));
}

// Each request would wait for it twice otherwise.
TEST_F(CellsTest, ADatabaseThatIsAwayIsAskedByNobodyElse) {
  const auto away = []() -> db::PgConnection { throw db::PgError("away", "", true); };
  int asked = 0;
  db::Pool nowhere(away, 1), others(
                                 [&]() -> db::PgConnection {
                                   ++asked;
                                   return away();
                                 },
                                 1);
  Placements placements(nowhere, others, "eu1");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(state_of(placements), "here");
  EXPECT_TRUE(placements.any()) << "nobody knows";
  EXPECT_EQ(asked, 0);
}

// The only connection for looks does not come back. What was known is trusted for a second, and
// then each asks for itself.
TEST_F(CellsTest, AMoveIsSeenWhileLooksHang) {
  const auto connect = [&] { return database_.connect("postern_api"); };
  db::Pool vital(connect, 1), others(connect, 2);
  Placements placements(vital, others, "eu1");
  EXPECT_EQ(state_of(placements), "here");
  const auto hangs = vital.acquire();
  move_away();
  std::atomic<int> seen = 0;
  std::vector<std::thread> threads;
  const auto since = std::chrono::steady_clock::now();
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      while (!placements.is_elsewhere("default")) {
        if (std::chrono::steady_clock::now() - since > 20s) return;
        std::this_thread::sleep_for(5ms);
      }
      ++seen;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(seen, 4);
  EXPECT_TRUE(placements.any());
}

}  // namespace
}  // namespace postern::test
