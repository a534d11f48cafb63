#include "db/catalog/keys.h"

#include <gtest/gtest.h>

#include "core/security/signing.h"
#include "tests/support/database.h"

namespace postern::test {
namespace {

class Keys : public ::testing::Test {
 protected:
  Database database_;
  db::PgConnection owner_ = database_.connect();
  db::PgConnection api_ = database_.connect("postern_api");
  const Sha256 hash_ = sha256("postern_key");
};

TEST_F(Keys, AuthenticateByHash) {
  EXPECT_FALSE(db::authenticate(api_, hash_));
  EXPECT_EQ(db::create_key(owner_, {hash_, "ci", "worker", "default", false, std::nullopt}),
            db::Made::yes);
  const auto identity = db::authenticate(api_, hash_);
  ASSERT_TRUE(identity);
  EXPECT_EQ(identity->name, "ci");
  EXPECT_EQ(identity->role, "worker");
  EXPECT_EQ(identity->tenant, "default");
  EXPECT_FALSE(db::authenticate(api_, sha256("postern_kez")));
  EXPECT_TRUE(db::list_keys(owner_).at(0).last_used_at);
}

TEST_F(Keys, EndWhenRevokedOrExpired) {
  db::create_key(owner_,
                 {hash_, "old", "read", "default", false, *parse_rfc3339("2001-01-01T00:00:00Z")});
  EXPECT_FALSE(db::authenticate(api_, hash_));
  const auto other = sha256("other");
  db::create_key(owner_, {other, "ci", "read", "default", false, std::nullopt});
  EXPECT_TRUE(db::revoke_key(owner_, "default", "ci"));
  EXPECT_FALSE(db::revoke_key(owner_, "default", "ci"));
  EXPECT_FALSE(db::authenticate(api_, other));
}

TEST_F(Keys, NamesAreTakenOncePerTenantAndTenantsMustExist) {
  db::create_key(owner_, {hash_, "ci", "read", "default", false, std::nullopt});
  EXPECT_EQ(db::create_key(owner_, {sha256("2"), "ci", "read", "default", false, std::nullopt}),
            db::Made::name_taken);
  EXPECT_EQ(db::create_key(owner_, {sha256("2"), "ci", "read", "acme", false, std::nullopt}),
            db::Made::no_tenant);
  EXPECT_EQ(db::create_tenant(owner_, "acme", make_webhook_secret()), db::Made::yes);
  EXPECT_EQ(db::create_tenant(owner_, "acme", make_webhook_secret()), db::Made::name_taken);
  EXPECT_EQ(db::create_key(owner_, {sha256("2"), "ci", "read", "acme", false, std::nullopt}),
            db::Made::yes);
  EXPECT_EQ(db::list_tenants(owner_, "", 10).size(), 2U);
  ASSERT_EQ(db::list_tenants(owner_, "", 1).size(), 1U);
  EXPECT_EQ(db::list_tenants(owner_, "", 1).front().name, "acme");
  EXPECT_EQ(db::list_tenants(owner_, "acme", 1).front().name, "default");
  EXPECT_TRUE(db::list_tenants(owner_, "default", 1).empty());
}

// The rule stands in the database, too: a handler that was taken over makes no operator.
TEST_F(Keys, TheHandlersMakeNoOperatorAndReadNoHash) {
  Time at{};
  EXPECT_EQ(db::make_key(api_, {hash_, "ci", "admin", "default", false, {}}, 9, 9, at),
            db::Made::yes);
  for (const char* role : {"operator", "root"}) {
    EXPECT_THROW(db::make_key(api_, {sha256("2"), "boss", role, "default", false, {}}, 9, 9, at),
                 db::PgError);
  }
  for (const char* sql :
       {"SELECT hash FROM postern.api_key", "UPDATE postern.api_key SET role = 'operator'",
        "INSERT INTO postern.api_key (hash, name, role, tenant) VALUES ('', 'x', 'operator', "
        "'default')",
        "SELECT secret FROM postern.tenant_secret", "DELETE FROM postern.api_key"}) {
    EXPECT_THROW(api_.exec({"", sql}), db::PgError) << sql;
  }
  EXPECT_EQ(db::list_keys(owner_).size(), 1U);
}

TEST_F(Keys, ARotationKeepsTheOldSecretForAWhile) {
  const auto before = db::tenant_secrets(owner_, "default")->current;
  EXPECT_TRUE(webhook_secret_key(before)) << "the migration's own secret is a valid one";
  const auto fresh = make_webhook_secret();
  EXPECT_TRUE(db::rotate_secret(owner_, "default", fresh, Seconds{3600}, false));
  auto secrets = *db::tenant_secrets(owner_, "default");
  EXPECT_EQ(secrets.current, fresh);
  EXPECT_EQ(secrets.previous, before);
  EXPECT_FALSE(db::rotate_secret(owner_, "default", make_webhook_secret(), Seconds{3600}, false))
      << "the first old secret would end early";
  EXPECT_TRUE(db::rotate_secret(owner_, "default", make_webhook_secret(), Seconds{3600}, true));
  EXPECT_FALSE(db::tenant_secrets(owner_, "nobody"));
}

}  // namespace
}  // namespace postern::test
