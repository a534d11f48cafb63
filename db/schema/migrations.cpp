#include "db/schema/migrations.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <stdexcept>

#include "core/base/crypto.h"
#include "core/base/hex.h"
#include "db/schema/dialects.h"

namespace postern::db {
namespace {

bool is_table(const SchemaFile& file) { return file.name.starts_with("tables/"); }
bool is_function(const SchemaFile& file) { return file.name.starts_with("functions/"); }

std::string checksum(const SchemaFile& file) { return to_hex(sha256(file.sql)); }

int min_program(const SchemaFile& file) {
  constexpr std::string_view kMark = "-- min_program: ";
  const auto at = file.sql.find(kMark);
  if (at == file.sql.npos) return 0;
  const auto from = at + kMark.size();
  return release_number(file.sql.substr(from, file.sql.find('\n', from) - from));
}

const SchemaFile& named(const Schema& schema, std::string_view name) {
  return *std::find_if(schema.files.begin(), schema.files.end(),
                       [&](const SchemaFile& file) { return file.name == name; });
}

// The table that records applied files.
constexpr char kFoundation[] = R"sql(
  SET LOCAL ROLE postern_owner;
  CREATE TABLE postern.applied (
    name        text PRIMARY KEY,            -- of the file in db/schema/
    sha256      text NOT NULL,
    release     integer NOT NULL,            -- of the program that applied it: 1.2.3 is 1002003
    min_program integer NOT NULL,            -- the oldest program that can live with it
    applied_at  timestamptz NOT NULL DEFAULT now()
  );
)sql";

// For a database that holds nothing but Postern.
constexpr char kTighten[] = R"sql(
  DO $$
  DECLARE
    others text := (
      SELECT string_agg(c.oid::regclass::text, ', ' ORDER BY c.oid::regclass::text) FROM (
        SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('postern', 'information_schema')
           AND n.nspname !~ '^pg_'
           AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
         LIMIT 5) c);
    owner text := (SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database());
  BEGIN
    IF others IS NOT NULL THEN
      RAISE object_in_use USING MESSAGE = format(
        'the database %s is not Postern''s own, for it holds %s: migrate it without --own-database', current_database(), others);
    END IF;
    IF NOT pg_has_role(owner, 'MEMBER') THEN
      RAISE insufficient_privilege USING MESSAGE = format(
        '--own-database is for the database''s owner %s or a superuser, and this is %s', owner, current_user);
    END IF;
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO postern_migrator, postern_api, postern_scheduler, '
                   'postern_operator, postern_enqueue', current_database());
  END $$;
)sql";

// Only one of postern_owner: whoever owns an application's database can make a schema of this name,
// whose views would run what they please as who looks, a superuser perhaps.
constexpr Statement kSchemaExists{"", R"sql(
  SELECT EXISTS (
    SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = 'postern' AND c.relname = 'applied' AND c.relkind = 'r'
       AND pg_get_userbyid(n.nspowner) = 'postern_owner' AND pg_get_userbyid(c.relowner) = 'postern_owner'))sql"};
constexpr Statement kSchemaOwner{
    "", "SELECT pg_get_userbyid(nspowner)::text FROM pg_namespace WHERE nspname = 'postern'"};
constexpr Statement kApplied{"", "SELECT name, sha256, release FROM postern.applied"};
constexpr Statement kRecord{"", R"sql(
  INSERT INTO postern.applied (name, sha256, release, min_program) VALUES ($1, $2, $3, $4)
  ON CONFLICT (name) DO UPDATE SET sha256 = excluded.sha256, release = excluded.release,
         min_program = excluded.min_program, applied_at = now())sql"};
// The migrators' lock, taken first in each transaction and held to its end. The number is
// arbitrary.
constexpr Statement kLock{"", "SELECT pg_advisory_xact_lock(7041776)"};
constexpr Statement kBeOwner{"", "SET LOCAL ROLE postern_owner"};
// Functions may call functions of later files.
constexpr Statement kLateBinding{"", "SET LOCAL check_function_bodies = off"};
// The first partitions, needed until a scheduler runs, which makes the further ones.
constexpr Statement kMakePartitions{
    "", "SELECT postern.make_partitions('short', 3) + postern.make_partitions('standard', 3)"};

struct Applied {
  std::string checksum;
  int release;
};
using AppliedFiles = std::map<std::string, Applied, std::less<>>;

}  // namespace

bool schema_exists(PgConnection& connection) {
  return connection.exec(kSchemaExists).boolean(0, 0);
}

namespace {

AppliedFiles applied_files(PgConnection& connection) {
  AppliedFiles out;
  if (!schema_exists(connection)) return out;
  const auto rows = connection.exec(kApplied);
  for (int i = 0; i < rows.rows(); ++i) {
    out.emplace(rows.text(i, 0),
                Applied{std::string(rows.text(i, 1)), static_cast<int>(rows.integer(i, 2))});
  }
  return out;
}

int newest_release(const AppliedFiles& files) {
  int newest = 0;
  for (const auto& [name, applied] : files) newest = std::max(newest, applied.release);
  return newest;
}

FileStatus::State state_of(const SchemaFile& file, const AppliedFiles& files) {
  const auto found = files.find(file.name);
  if (found == files.end()) return FileStatus::State::missing;
  // A numbered file is never applied twice, so a change of its text does not count.
  const bool same = is_table(file) || found->second.checksum == checksum(file);
  return same ? FileStatus::State::applied : FileStatus::State::changed;
}

void apply(PgConnection& connection, const Schema& schema, const SchemaFile& file) {
  connection.script(file.sql);
  connection.exec(
      kRecord,
      Params().text(file.name).text(checksum(file)).int4(schema.release).int4(min_program(file)));
}

// One transaction of the migrator, which excludes other migrators. `ours` is false when a newer
// program has migrated the database in the meantime.
class Step {
 public:
  Step(PgConnection& connection, const Schema& schema) : transaction_(connection) {
    connection.exec(kLock);
    files = applied_files(connection);
    ours = newest_release(files) <= schema.release;
  }
  void commit() { transaction_.commit(); }

  AppliedFiles files;
  bool ours;

 private:
  Transaction transaction_;
};

}  // namespace

int release_number(std::string_view version) {
  int number = 0;
  const char* at = version.data();
  const char* const end = at + version.size();
  for (int part = 0; part < 3; ++part) {
    int value = 0;
    const auto [next, error] = std::from_chars(at, end, value);
    const bool complete = part == 2 ? next == end : next != end && *next == '.';
    if (error != std::errc() || value < 0 || value > 999 || !complete) {
      throw std::invalid_argument(fmt::format("\"{}\" is no version such as 1.2.3", version));
    }
    number = number * 1000 + value;
    at = next + 1;
  }
  return number;
}

std::string release_text(int number) {
  return fmt::format("{}.{}.{}", number / 1'000'000, number / 1'000 % 1'000, number % 1'000);
}

void make_roles(PgConnection& connection, const Schema& schema) {
  connection.script(named(schema, "roles").sql);
}

void tighten_database(PgConnection& connection) { connection.script(kTighten); }

Migrated migrate(PgConnection& connection, const Schema& schema, bool every_function) {
  Migrated done;
  const auto newer = [&](const Step& step) {
    done.newer_release = newest_release(step.files);
    return done;
  };
  {
    Step step(connection, schema);
    if (!step.ours) return newer(step);
    make_roles(connection, schema);
    connection.script(named(schema, "database").sql);
    if (!schema_exists(connection)) connection.script(kFoundation);
    step.commit();
  }
  for (const auto& file : schema.files) {
    if (!is_table(file)) continue;
    Step step(connection, schema);
    if (!step.ours) return newer(step);
    if (state_of(file, step.files) == FileStatus::State::applied) continue;
    connection.exec(kBeOwner);
    apply(connection, schema, file);
    step.commit();
    done.applied.push_back(file.name);
  }
  Step step(connection, schema);
  if (!step.ours) return newer(step);
  connection.exec(kBeOwner);
  connection.exec(kLateBinding);
  for (const auto& file : schema.files) {
    if (!is_function(file)) continue;
    if (!every_function && state_of(file, step.files) == FileStatus::State::applied) continue;
    apply(connection, schema, file);
    done.applied.push_back(file.name);
  }
  admit_dialects(connection);
  connection.script(named(schema, "grants").sql);
  if (!done.applied.empty()) connection.exec(kMakePartitions);
  step.commit();
  return done;
}

bool reapply(PgConnection& connection, const Schema& schema) {
  connection.exec(kLock);
  if (newest_release(applied_files(connection)) > schema.release) return false;
  make_roles(connection, schema);
  connection.exec(kBeOwner);
  connection.exec(kLateBinding);
  for (const auto& file : schema.files) {
    if (is_function(file)) connection.script(file.sql);
  }
  connection.script(named(schema, "grants").sql);
  return true;
}

std::vector<FileStatus> schema_status(PgConnection& connection, const Schema& schema) {
  const auto files = applied_files(connection);
  std::vector<FileStatus> out;
  for (const auto& file : schema.files) {
    if (is_table(file) || is_function(file)) out.push_back({file.name, state_of(file, files)});
  }
  return out;
}

constexpr Statement kOldestProgram{"", "SELECT max(min_program) FROM postern.applied"};

std::optional<std::string> schema_misfit(PgConnection& connection, const Schema& schema) {
  if (!schema_exists(connection)) {
    const auto owner = connection.exec(kSchemaOwner);
    if (owner.rows() > 0 && owner.text(0, 0) != "postern_owner") {
      return fmt::format(
          "the schema postern of this database belongs to {}, and not to postern_owner: `postern "
          "migrate` says what to do",
          owner.text(0, 0));
    }
    return "this database holds no postern schema: run `postern migrate` first";
  }
  const auto files = applied_files(connection);
  const int newest = newest_release(files);
  const auto needed =
      static_cast<int>(connection.exec(kOldestProgram).integer_or_null(0, 0).value_or(0));
  if (needed > schema.release) {
    return fmt::format(
        "this program ({}) is too old for the database, which {} has migrated and which needs {} "
        "or "
        "newer: upgrade Postern",
        release_text(schema.release), release_text(newest), release_text(needed));
  }
  for (const auto& file : schema.files) {
    if (!is_table(file) && !is_function(file)) continue;
    const auto state = state_of(file, files);
    // Functions that a newer program changed work with this one: min_program was checked above.
    const bool tolerated = state == FileStatus::State::changed && newest > schema.release;
    if (state != FileStatus::State::applied && !tolerated) {
      return fmt::format(
          "the database's schema is older than this program's ({} is not applied): run `postern "
          "migrate`",
          file.name);
    }
  }
  return std::nullopt;
}

constexpr Statement kDurability{"", R"sql(
  SELECT name || ' = ' || setting FROM pg_settings
   WHERE (name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND setting = 'off')
      OR (name = 'synchronous_commit' AND setting = 'local'
          AND current_setting('synchronous_standby_names') <> '') LIMIT 1)sql"};

std::optional<std::string> unsafe_durability(PgConnection& connection) {
  const auto row = connection.exec(kDurability);
  if (row.rows() == 0) return std::nullopt;
  return fmt::format(
      "PostgreSQL runs with {}, so it may lose what it has acknowledged: turn it on, or start with "
      "--unsafe-durability",
      row.text(0, 0));
}

}  // namespace postern::db
