#include "db/pg/rows.h"

#include <gtest/gtest.h>

#include "tests/support/database.h"

namespace postern::test {
namespace {

struct Thing {
  std::string name;
  std::int64_t size = 0;
  std::optional<std::string> note;
};

constexpr db::Column<Thing> kColumns[] = {
    {"size", [](Thing& thing, const db::Value& value) { thing.size = value.integer(); }, "1 + 1"},
    {"name", [](Thing& thing, const db::Value& value) { thing.name = value.text(); }},
    {"note", [](Thing& thing, const db::Value& value) { thing.note = value.text_or_null(); }},
};

class Rows : public ::testing::Test {
 protected:
  db::PgResult exec(const std::string& sql) { return connection_.exec({"", sql.c_str()}); }

  Database database_;
  db::PgConnection connection_ = database_.connect();
};

TEST_F(Rows, AreReadByNameWhateverTheOrder) {
  const auto result = exec("SELECT true AS other, NULL::text AS note, 'n' AS name, 7 AS size");
  const auto things = db::RowReader<Thing>(result, kColumns).all();
  ASSERT_EQ(things.size(), 1U);
  EXPECT_EQ(things[0].name, "n");
  EXPECT_EQ(things[0].size, 7);
  EXPECT_EQ(things[0].note, std::nullopt);
}

TEST_F(Rows, ASelectListIsBuiltFromTheSameTable) {
  EXPECT_EQ(db::select_list(kColumns), "1 + 1 AS size, name, note");
  const auto result = exec("SELECT " + db::select_list(kColumns) +
                           " FROM (VALUES ('a', NULL), ('b', 'c')) AS t(name, note)");
  const auto things = db::RowReader<Thing>(result, kColumns).all();
  ASSERT_EQ(things.size(), 2U);
  EXPECT_EQ(things[1].size, 2);
  EXPECT_EQ(things[1].name, "b");
  EXPECT_EQ(things[1].note, "c");
}

TEST_F(Rows, AColumnThatIsNotThereNamesItself) {
  const auto result = exec("SELECT 1 AS size, 'n' AS name");
  EXPECT_EQ(result.column("name"), 1);
  try {
    const db::RowReader<Thing> reader(result, kColumns);
    FAIL();
  } catch (const std::runtime_error& fault) {
    EXPECT_STREQ(fault.what(), "a result has no column note");
  }
}

TEST_F(Rows, AColumnOfAnotherTypeNamesItself) {
  const auto result = exec("SELECT 'x' AS size, 'n' AS name, '' AS note");
  try {
    db::RowReader<Thing>(result, kColumns).all();
    FAIL();
  } catch (const std::runtime_error& fault) {
    EXPECT_STREQ(fault.what(), "column size of a result is not of the expected type");
  }
}

}  // namespace
}  // namespace postern::test
