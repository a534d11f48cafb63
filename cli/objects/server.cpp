// What the server says about itself and the caller: info, whoami and the retry policies.
#include <fmt/format.h>

#include <chrono>
#include <memory>

#include "cli/command/commands.h"
#include "cli/objects/client.h"
#include "cli/output/show.h"
#include "core/base/json_writer.h"

namespace postern::admin {
namespace {

constexpr Column kPolicies[] = {
    {"name", "name", 0}, {"delays", "delays", 1, 20}, {"jitter", "jitter", 1}};

std::vector<std::string> copied(const std::vector<std::string_view>& views) {
  return {views.begin(), views.end()};
}

// Its first delays, in seconds.
std::string delays_of(const JsonObject& policy) {
  constexpr std::size_t kShown = 12;
  constexpr double kNanoseconds = 1e9;
  std::string out;
  const auto intervals = policy.elements("intervals");
  for (std::size_t i = 0; i < std::min(kShown, intervals.size()); ++i) {
    const double nanoseconds = std::stod(std::string(intervals[i]));
    out += fmt::format("{}{:g}", i == 0 ? "" : ", ", nanoseconds / kNanoseconds);
  }
  if (out.empty()) return "none";
  return out + (intervals.size() > kShown ? ", … s" : " s");
}

void policies(const Context& context, const std::optional<std::string>& tenant) {
  Client client(context, tenant, Client::Purpose::look);
  const auto answer = client.ask({"GET", {"retry-policies"}});
  auto objects = copied(JsonObject(answer).elements("policies"));
  if (!context.json) {
    for (auto& object : objects) {
      const auto delays = delays_of(JsonObject(object));
      object.insert(object.rfind('}'), fmt::format(",\"delays\":{}", json_quote(delays)));
    }
  }
  print_objects(objects, kPolicies, context);
}

void info(const Context& context, const std::optional<std::string>& tenant) {
  Client client(context, tenant, Client::Purpose::look);
  print_object(client.ask({"GET", {"info"}}), context);
}

void whoami(const Context& context, const std::optional<std::string>& tenant) {
  Client client(context, tenant, Client::Purpose::look);
  print_object(client.ask({"GET", {"whoami"}}), context);
}

}  // namespace

void add_server(Command& app, Context& context) {
  auto tenant = std::make_shared<std::optional<std::string>>();
  const auto add = [&](Command parent, const char* name, const char* help, auto show) {
    Command command = parent.add(name, help);
    command.option("--tenant", *tenant, "whose, on the host's database; default unless said");
    command.run([&context, tenant, show] { show(context, *tenant); });
  };
  add(app, "info", "The version, and what the server can do", info);
  add(app, "whoami", "Who the API takes you for: identity, tenant and role", whoami);
  Command policy = app.add("policy", "Retry policies");
  policy.require_subcommand();
  add(policy, "list", "Show those with a name", policies);
}

}  // namespace postern::admin
