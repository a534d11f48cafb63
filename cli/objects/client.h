// What a command asks of the API, and what becomes of an answer that is an error.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/api/api.h"
#include "cli/command/context.h"

namespace postern::admin {

// The option by which a field of the API is given; empty: there is none.
using FlagOf = std::function<std::string(std::string_view field)>;

class Client {
 public:
  enum class Purpose { look, change };

  // By --url and --key, else on the host's database as `tenant` (nullopt: the default one). Ends
  // the command when there is no API to ask. `context` must outlive it.
  Client(const Context& context, const std::optional<std::string>& tenant,
         Purpose purpose = Purpose::change);

  // The body of an answer that is good. Another one ends the command with the API's error.
  std::string ask(const ApiRequest& request, const FlagOf& flag_of = {});
  // Any answer. Ends the command when there is none.
  ApiAnswer try_ask(const ApiRequest& request);
  // Ends the command: exit code 2 when the API says that what was given is wrong, else 1.
  [[noreturn]] void refuse(const ApiAnswer& answer, const FlagOf& flag_of = {}) const;

  // The objects that a list has under `name`, page after page, up to `most`.
  struct Found {
    std::vector<std::string> objects;
    bool more = false;      // there are more than `most`
    std::string last_page;  // as it came
  };
  Found list(ApiRequest request, std::string_view name, std::size_t most, std::size_t page,
             const FlagOf& flag_of = {});

 private:
  const Context& context_;
  std::unique_ptr<Api> api_;
};

// A name as a segment of a path. Ends the parsing when no object can be called so.
std::string path_name(const std::string& name);

}  // namespace postern::admin
