// postern.endpoint_of against a look at all names.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/support/database.h"

namespace postern::test {
namespace {

constexpr int kRounds = 30, kNames = 40, kWanted = 300;

class Names {
 public:
  // Few letters, so that many names begin with others; of those that names may have, the first and
  // the last in the order of bytes among them.
  std::string some(std::size_t longest, bool odd) {
    static const std::vector<std::string> kLetters{"-", "0", ":", "Z", "_", "a", "z"};
    static const std::vector<std::string> kOdd{" ", ".", "~", "\u00e9", "\U0001f600"};
    std::string out;
    for (auto n = number(longest + 1); n > 0; --n) {
      const auto& from = odd && number(6) == 0 ? kOdd : kLetters;
      out += from[number(from.size())];
    }
    return out;
  }
  std::size_t number(std::size_t below) { return random_() % below; }

 private:
  std::mt19937_64 random_{20'260'101};
};

// The longest that `wanted` begins with.
std::optional<std::string> longest_of(const std::set<std::string>& names,
                                      const std::string& wanted) {
  std::optional<std::string> out;
  for (const auto& name : names) {
    if (wanted.starts_with(name) && (!out || name.size() > out->size())) out = name;
  }
  return out;
}

TEST(EndpointOf, IsTheLongestNameThatTheWantedOneBeginsWith) {
  Database database;
  auto owner = database.connect();
  owner.script("INSERT INTO postern.tenant (name) VALUES ('other')");
  Names random;
  int found = 0, none = 0;
  for (int round = 0; round < kRounds; ++round) {
    const auto longest = 1 + random.number(8);
    std::set<std::string> names;
    while (names.size() < 1 + random.number(kNames)) names.insert(random.some(longest, false));
    db::Array mine(db::Oid::text), theirs(db::Oid::text), wanted_names(db::Oid::text);
    for (const auto& name : names) mine.text(name);
    for (int i = 0; i < kNames; ++i) theirs.text(random.some(longest, false));
    std::vector<std::string> wanted;
    for (int i = 0; i < kWanted; ++i) {
      wanted.push_back(random.some(longest + 4, true));
      if (random.number(3) == 0) {  // often one that exists, with something behind it
        auto name = names.begin();
        std::advance(name, static_cast<std::ptrdiff_t>(random.number(names.size())));
        wanted.back() = *name + random.some(2, true);
      }
      wanted_names.text(wanted.back());
    }
    owner.script("DELETE FROM postern.endpoint");
    owner.exec({"",
                "INSERT INTO postern.endpoint (tenant, name, url) "
                "SELECT 'default', n, 'http://receiver.test/' FROM unnest($1) n UNION "
                "SELECT 'other', n, 'http://other.test/' FROM unnest($2) n"},
               db::Params().array(mine).array(theirs));
    const auto rows =
        owner.exec({"",
                    "SELECT e.tenant, e.name FROM unnest($1) WITH ORDINALITY w(name, n) "
                    "LEFT JOIN LATERAL postern.endpoint_of('default', w.name) e ON true "
                    "ORDER BY n"},
                   db::Params().array(wanted_names));
    ASSERT_EQ(rows.rows(), kWanted);
    for (int i = 0; i < kWanted; ++i) {
      std::optional<std::string> got;
      if (!rows.is_null(i, 0)) got = std::string(rows.text(i, 1));
      const auto& name = wanted[static_cast<std::size_t>(i)];
      ASSERT_EQ(got, longest_of(names, name)) << "round " << round << ": " << name;
      ++(got ? found : none);
      if (got) {
        ASSERT_EQ(rows.text(i, 0), "default");
      }
    }
  }
  EXPECT_GT(found, kRounds * kWanted / 10);
  EXPECT_GT(none, kRounds * kWanted / 10);
}

}  // namespace
}  // namespace postern::test
