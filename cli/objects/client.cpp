#include "cli/objects/client.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include <fmt/format.h>

#include "cli/command/ending.h"
#include "cli/command/options.h"
#include "cli/command/printable.h"
#include "cli/output/json.h"
#include "core/base/text.h"
#include "core/base/url.h"

namespace postern::admin {
namespace {

std::string key_of(const Context& context) {
  if (!context.key.empty()) return context.key;
  if (!context.key_file.empty()) {
    std::ifstream in(context.key_file);
    std::string line;
    if (!in || !std::getline(in, line)) {
      refuse_option("--key-file", fmt::format("no key can be read from {}", context.key_file));
    }
    return std::string(trimmed(line));
  }
  const char* key = std::getenv("POSTERN_KEY");
  return key == nullptr ? "" : key;
}

// Whether others can read on the way what is sent there.
bool is_in_the_clear(const std::string& address) {
  const auto url = parse_url(address, "--url");
  const bool this_host =
      url && (url->host == "localhost" || url->host == "::1" || url->host.starts_with("127."));
  return url && url->scheme == "http" && !this_host;
}

std::unique_ptr<Api> api_of(const Context& context, const std::optional<std::string>& tenant,
                            bool writable) {
  if (context.url.empty()) {
    for (const auto& [flag, given] :
         {std::pair{"--key", &context.key}, std::pair{"--key-file", &context.key_file},
          std::pair{"--ca-file", &context.ca_file}}) {
      if (!given->empty()) refuse_option(flag, "it goes with --url, the address of the API");
    }
    auto database = context.connection_options(writable);
    database.session = db::handler_session();
    return local_api(context.settings, database, tenant.value_or("default"));
  }
  if (tenant) refuse_option("--tenant", "with --url the key says whose objects they are");
  try {
    auto api = remote_api({context.url, key_of(context), context.ca_file});
    if (is_in_the_clear(context.url)) {
      complain(context.url + ": without https, whoever is in between can read the key");
    }
    return api;
  } catch (const std::invalid_argument& error) {
    throw UsageError(error.what());
  }
}

// "priority must be 1 to 10" with --priority for priority.
std::string sentence_of(const JsonObject& error, const FlagOf& flag_of) {
  const std::string message = error.text("message");
  const std::string field = error.text("details.field");
  if (field.empty() || !flag_of) return message;
  std::string flag = flag_of(field);
  if (flag.empty() && field.rfind('.') != field.npos)
    flag = flag_of(field.substr(field.rfind('.') + 1));
  if (flag.empty()) return message;
  if (message.starts_with(field + " ")) return flag + message.substr(field.size());
  return fmt::format("{}: {}", flag, message);
}

}  // namespace

Client::Client(const Context& context, const std::optional<std::string>& tenant, Purpose purpose)
    : context_(context) {
  try {
    api_ = api_of(context, tenant, purpose == Purpose::change);
  } catch (const ApiAway& away) {
    fail(away.what(), context.json);
  }
}

ApiAnswer Client::try_ask(const ApiRequest& request) {
  try {
    return api_->ask(request);
  } catch (const ApiAway& away) {
    fail(away.what(), context_.json);
  }
}

std::string Client::ask(const ApiRequest& request, const FlagOf& flag_of) {
  ApiAnswer answer = try_ask(request);
  if (!answer.good()) refuse(answer, flag_of);
  return std::move(answer.body);
}

void Client::refuse(const ApiAnswer& answer, const FlagOf& flag_of) const {
  const JsonObject body(answer.body);
  const JsonObject error = body.object("error");
  if (context_.json) fmt::print("{}\n", answer.body);
  std::string sentence = sentence_of(error, flag_of);
  if (sentence.empty()) sentence = fmt::format("the API answered {}", answer.status);
  complain(sentence);
  constexpr int kWrong = 400;
  throw Exit{answer.status == kWrong ? kUsage : kNotDone};
}

Client::Found Client::list(ApiRequest request, std::string_view name, std::size_t most,
                           std::size_t page, const FlagOf& flag_of) {
  Found found;
  const auto query = request.query;
  std::string cursor;
  do {
    request.query = query;
    request.query.emplace_back("limit",
                               std::to_string(std::min(page, most - found.objects.size())));
    if (!cursor.empty()) request.query.emplace_back("cursor", cursor);
    found.last_page = ask(request, flag_of);
    const JsonObject answer(found.last_page);
    for (const auto each : answer.elements(name)) found.objects.emplace_back(each);
    cursor = answer.text("next_cursor");
    if (cursor.empty()) cursor = answer.text("pagination.next_cursor");
  } while (!cursor.empty() && found.objects.size() < most);
  found.more = !cursor.empty();
  return found;
}

std::string path_name(const std::string& name) {
  if (name.empty() || name == "." || name == ".." || name.find('/') != name.npos) {
    refuse_option("name", fmt::format("\"{}\" is the name of nothing", printable(name)));
  }
  return name;
}

}  // namespace postern::admin
