// API keys at the command line.
#include "db/catalog/keys.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iostream>
#include <memory>
#include <string_view>
#include <system_error>

#include "cli/api/api.h"
#include "cli/command/commands.h"
#include "cli/command/ending.h"
#include "cli/host/tenants.h"
#include "cli/objects/client.h"
#include "cli/output/records.h"
#include "cli/output/show.h"
#include "core/base/json_writer.h"
#include "core/model/api_key.h"
#include "core/model/queue.h"
#include "core/model/validation.h"
#include "core/program/clock.h"

namespace postern::admin {
namespace {

void check(const db::Made made, const std::string& what, const std::string& tenant, bool json) {
  if (made == db::Made::name_taken) fail(fmt::format("{} exists already", what), json);
  if (made == db::Made::no_tenant) fail(no_such_tenant(tenant), json);
}

struct KeyArguments {
  std::string name, role = "worker", expires;
  std::optional<std::string> tenant;
  bool sandbox = false;

  std::string tenant_name() const { return tenant.value_or("default"); }
};

// By --url.

constexpr Column kColumns[] = {{"name", "name", 0, 12},
                               {"role", "role", 0},
                               {"sandbox", "sandbox", 4},
                               {"created at", "created_at", 3},
                               {"last used at", "last_used_at", 2},
                               {"expires at", "expires_at", 1},
                               {"revoked at", "revoked_at", 1}};

std::string flag_of(std::string_view field) {
  if (field == "expires_at") return "--expires";
  return field == "name" || field == "role" ? fmt::format("--{}", field) : "";
}

constexpr char kKeepIt[] = "Keep the key now: only its hash is stored.";

void create_by_api(const Context& context, const KeyArguments& arguments) {
  Client client(context, arguments.tenant);
  JsonWriter body;
  body.begin_object().member("name", arguments.name).member("role", arguments.role);
  if (!arguments.expires.empty()) body.member("expires_at", arguments.expires);
  if (arguments.sandbox) body.member("sandbox", true);
  body.end_object();
  print_object(client.ask({"POST", {"keys"}, {}, body.take()}, flag_of), context);
  say(context, kKeepIt);
}

void list_by_api(const Context& context, const std::optional<std::string>& tenant) {
  Client client(context, tenant, Client::Purpose::look);
  const auto answer = client.ask({"GET", {"keys"}});
  const JsonObject all(answer);
  const auto keys = all.elements("keys");
  print_objects({keys.begin(), keys.end()}, kColumns, context);
  if (all.is_true("more")) say(context, "There are more, which are not shown.");
}

void revoke_by_api(const Context& context, const KeyArguments& arguments) {
  Client client(context, arguments.tenant);
  print_object(client.ask({"POST", {"keys", path_name(arguments.name), "revoke"}}, flag_of),
               context);
}

// On the host's database.

void create(const Context& context, const KeyArguments& arguments) {
  if (!context.url.empty()) return create_by_api(context, arguments);
  std::optional<Time> expires;
  if (!arguments.expires.empty()) {
    expires = parse_rfc3339(arguments.expires);
    if (!expires) {
      throw UsageError(
          fmt::format("--expires: '{}' is not an RFC 3339 time such as 2030-01-31T00:00:00Z",
                      arguments.expires));
    }
    if (*expires <= wall_clock()) {
      throw UsageError(
          fmt::format("--expires: {} has passed: such a key would never work", arguments.expires));
    }
  }
  auto connection = context.connect();
  const std::string tenant = arguments.tenant_name();
  require_tenant_here(context, connection, tenant);
  const auto key = make_api_key(arguments.sandbox, context.settings.cell);
  check(db::create_key(connection, {sha256(key), arguments.name, arguments.role, tenant,
                                    arguments.sandbox, expires}),
        fmt::format("a key named {} of tenant {}", arguments.name, tenant), tenant, context.json);
  print_record({{"key", key},
                {"name", arguments.name},
                {"role", arguments.role},
                {"tenant", tenant},
                {"expires at", show(expires)}},
               context.json);
  say(context, kKeepIt);
}

void list(const Context& context, const std::optional<std::string>& tenant) {
  if (!context.url.empty()) return list_by_api(context, tenant);
  auto connection = context.connect(false);
  // Of one that has moved it has the keys that were made before, and does not know which of them
  // have ended since.
  if (tenant) require_tenant_here(context, connection, *tenant);
  std::vector<std::vector<std::string>> rows;
  for (const auto& key : db::list_keys(connection)) {
    if (tenant && key.tenant != *tenant) continue;
    rows.push_back({key.name, key.role, key.tenant, show(key.created_at), show(key.last_used_at),
                    show(key.expires_at), show(key.revoked_at)});
  }
  print_table({"name", "role", "tenant", "created at", "last used at", "expires at", "revoked at"},
              rows, context.json);
}

// Whether nginx takes the text as it stands within quotes, and the maps of nginx/keys.conf take it
// as one word.
bool is_plain(std::string_view text) {
  return !text.empty() && text.find_first_not_of(
                              "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                              "0123456789_.@:-") == text.npos;
}

// The map: a line for each key of standard input. An error ends the command and names the line.
std::string nginx_map(const Context& context, db::PgConnection& connection) {
  std::string out;
  int number = 0;
  for (std::string line; std::getline(std::cin, line);) {
    ++number;
    if (line.empty()) continue;
    const auto refuse = [&](std::string_view why) {
      fail(fmt::format("line {} of the standard input: {}; nothing was written", number, why),
           context.json);
    };
    if (line.starts_with(kSandboxKeyPrefix)) {
      refuse("sandbox keys cannot be in the map, for nginx would let them pass as live ones");
    }
    if (!is_plain(line) || !line.starts_with(kKeyPrefix)) refuse("this is not a key");
    const auto owner = db::authenticate(connection, sha256(line));
    if (!owner) refuse("the key is unknown, revoked or expired");
    if (owner->role == "operator") {
      refuse("an operator's key cannot be in the map, where anybody could write that role");
    }
    if (!is_plain(owner->name)) {
      refuse(fmt::format("the name \"{}\" of its key has characters that nginx would misread",
                         owner->name));
    }
    // The map's key lacks the prefix of all keys, which nginx/keys.conf removes before the lookup,
    // and stands in the entry again, for nginx finds it in any case.
    const std::string_view key = std::string_view(line).substr(kKeyPrefix.size());
    out +=
        fmt::format("\"{0}\" \"{0} {1} {2} {3}\";\n", key, owner->name, owner->role, owner->tenant);
  }
  return out;
}

// Writes the file beside `path` and then renames it, so that nginx never reads half of it. It holds
// keys, so only its owner may read it.
void write_private(const Context& context, const std::string& path, const std::string& text) {
  const std::string fresh = path + ".new";
  const auto lost = [&] {
    fail(fmt::format("cannot write {}: {}", path, std::generic_category().message(errno)),
         context.json);
  };
  unlink(fresh.c_str());
  const int file = open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) lost();
  const bool written = write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                       fsync(file) == 0;
  close(file);
  if (!written || rename(fresh.c_str(), path.c_str()) != 0) lost();
}

void export_nginx(const Context& context, const std::string& file) {
  if (!context.url.empty()) {
    throw UsageError(
        "`postern key export-nginx` works on the host's database: leave out --url, and unset "
        "POSTERN_URL");
  }
  auto connection = context.connect(false);
  const std::string map = nginx_map(context, connection);
  write_private(context, file, map);
  print_record(
      {{"file", file}, {"keys", std::to_string(std::count(map.begin(), map.end(), '\n')), true}},
      context.json);
}

void revoke(const Context& context, const KeyArguments& arguments) {
  if (!context.url.empty()) return revoke_by_api(context, arguments);
  auto connection = context.connect();
  const std::string tenant = arguments.tenant_name();
  require_tenant_here(context, connection, tenant);
  if (!db::revoke_key(connection, tenant, arguments.name)) {
    fail(fmt::format(
             "tenant {} has no key named {} to revoke: `postern key list` shows which there are",
             tenant, arguments.name),
         context.json);
  }
  print_record({{"revoked", arguments.name}, {"tenant", tenant}}, context.json);
}

}  // namespace

void add_key(Command& app, Context& context) {
  Command key = app.add("key", "API keys");
  key.require_subcommand();
  auto arguments = std::make_shared<KeyArguments>();
  const auto add_who = [arguments](Command command) {
    command.option("--name", arguments->name, "what the key is called; once per tenant").required();
    command.option("--tenant", arguments->tenant,
                   "whose key it is, on the host's database; default unless said");
  };

  Command make = key.add("create", "Make a key and print it, once");
  add_who(make);
  make.option(
          "--role", arguments->role,
          "operator (an admin who sees all tenants), admin, worker (may read and retry) or read")
      .required()
      .one_of({"operator", "admin", "worker", "read"});
  make.option("--expires", arguments->expires, "when it stops working, RFC 3339; never if absent");
  make.flag("--sandbox", arguments->sandbox,
            "its tasks are accepted and shown, and never delivered");
  make.run([&context, arguments] { create(context, *arguments); });

  auto whose = std::make_shared<std::optional<std::string>>();
  Command all =
      key.add("list", "Show all keys, by --url those of the own tenant; never their text");
  all.option("--tenant", *whose, "only this tenant's");
  all.run([&context, whose] { list(context, *whose); });

  auto file = std::make_shared<std::string>();
  Command write_map =
      key.add("export-nginx", "Write the keys on standard input as a map for nginx/auth-map.conf");
  write_map.option("--file", *file, "where to").required();
  write_map.footer("Example: postern key export-nginx --file /etc/nginx/postern/keys.map < keys");
  write_map.run([&context, file] { export_nginx(context, *file); });

  Command end = key.add("revoke", "End a key; nginx may let it pass for 5 s more");
  add_who(end);
  end.run([&context, arguments] { revoke(context, *arguments); });
}

}  // namespace postern::admin
