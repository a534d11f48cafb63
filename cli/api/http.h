// Requests over HTTP, by libcurl. Redirects are not followed.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace postern::admin {

struct HttpQuestion {
  std::string method = "GET";
  std::string url;
  std::vector<std::string> headers = {};  // each "Name: value"
  std::string body = {};
  std::string ca_file = {};  // authorities to trust; empty: the system's
  long seconds = 10;         // for all of it
};

struct HttpAnswer {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};
};

// There is no answer. The text is libcurl's.
class HttpFault : public std::runtime_error {
 public:
  enum class Kind { connection, tls, time, other };
  HttpFault(Kind why, const std::string& text) : std::runtime_error(text), kind(why) {}
  const Kind kind;
};

// One request at a time; connections are kept for the next one.
class HttpClient {
 public:
  HttpClient();
  ~HttpClient();

  // Any answer of up to 256 MiB. Throws HttpFault when there is none.
  HttpAnswer ask(const HttpQuestion& question);

 private:
  struct Handle;
  std::unique_ptr<Handle> handle_;
};

}  // namespace postern::admin
