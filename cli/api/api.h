// The API as the command asks it: the same requests and answers in this process, on the host's
// database, or over HTTP.
#pragma once

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/program/config.h"
#include "db/pg/connection.h"

namespace postern::admin {

struct ApiRequest {
  std::string method;
  std::vector<std::string> path;  // behind "/v1": its segments, not encoded
  std::vector<std::pair<std::string, std::string>> query = {};
  std::string body = {};  // JSON; empty: none
  std::string idempotency_key = {};
};

struct ApiAnswer {
  int status = 0;
  // Valid JSON; empty when there is none.
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;

  bool good() const { return status >= 200 && status < 300; }
  // nullopt: there is none of this name, which is in lower case.
  std::optional<std::string> header(std::string_view name) const;
};

// The API gave no answer. The text is a sentence for the operator.
class ApiAway : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// One request at a time.
class Api {
 public:
  virtual ~Api() = default;
  // Any answer of the API, errors too. Throws ApiAway when there is none.
  virtual ApiAnswer ask(const ApiRequest& request) = 0;
};

// The API in this process, as an operator of `tenant`, by the settings of the handlers. Throws
// ApiAway when the database cannot be reached or does not fit this program, or has no such tenant.
std::unique_ptr<Api> local_api(const Settings& settings, const db::PgConnection::Options& database,
                               const std::string& tenant);

// "there is no tenant x", and what to do.
std::string no_such_tenant(const std::string& tenant);

struct Remote {
  std::string url;      // of the API: what stands in front of "/v1"
  std::string key;      // an API key, or a token
  std::string ca_file;  // certificates that are trusted; empty: the system's
};

// The API over HTTP. Redirects are not followed: the key goes where it was meant to go alone.
// Throws std::invalid_argument, with a sentence, when `remote` is not an address and a key.
std::unique_ptr<Api> remote_api(const Remote& remote);

}  // namespace postern::admin
