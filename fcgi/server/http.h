// One HTTP request and its answer, as the handlers see them: no FastCGI in here. What stands in a
// request was put there by nginx (nginx/pass.conf); no header of the client becomes a field by
// itself.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace postern {

// What the authenticator said about the credential. `absent`: nobody was asked.
enum class Verdict { absent, ok, missing, invalid, forbidden, unavailable };

struct HttpRequest {
  std::string method;
  std::string path;   // normalised and decoded by nginx, without the mount point
  std::string query;  // as it came, without "?"
  std::string content_type;
  std::string body;
  bool body_too_large = false;  // then `body` is empty
  bool no_room = false;         // for the body, at the moment; likewise
  std::string remote_addr;
  std::string request_id;
  std::string idempotency_key;
  std::string traceparent;
  std::string base_path;  // what stands before `path` in this site, such as "/queue/taskmq"
  std::string mount;      // its end, where that is the mount of a dialect, such as "/taskmq"
  std::string tenant;     // of the vhost; empty: none is fixed
  std::string dialect;    // of the mount; empty: to be told from the request
  std::string auth;       // "mtls": nginx demands client certificates; empty: something else

  // Who asks, by nginx.
  Verdict verdict = Verdict::absent;
  std::string identity;
  std::string role;
  std::string key_tenant;
  std::string sandbox;           // "1": what this caller makes is never to be delivered
  std::string operator_vouched;  // "key", "token": what our authenticator has the role of

  // Where there are several cells (nginx/cells.conf).
  std::string cell;      // the label of the one that nginx takes this for; empty: it has none
  std::string cells;     // "1": nginx can pass the request on to another
  std::string key_hash;  // of a key that another cell has judged: its SHA-256 in hex

  // "auth": the question of nginx's subrequest, which alone carries the credentials.
  std::string service;
  std::string access;  // "create": whether they may create is part of the question; "who": nobody
                       // need have a credential
  std::string authorization;
  std::string api_key;
};

// Takes one FastCGI parameter; those that are not known are ignored. CONTENT_LENGTH is the server's
// own affair.
void set_param(HttpRequest& request, std::string_view name, std::string_view value);

// What came of asking for the next piece of a body: a piece, the end, or that it ends too early, so
// that the client must be able to tell. (A fault may be thrown and comes to the same.)
enum class Piece { text, end, broken };

struct HttpResponse {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  // The rest of the body, for one that is too long to be held as a whole: sets `piece` to what
  // comes next. Asked by whoever writes the answer, as fast as the client reads, and no more once
  // the client has gone. Absent: `body` is all.
  std::function<Piece(std::string& piece)> rest = {};

  // Adds a header. One with a control byte in its value is left out: it could split the answer.
  HttpResponse& header(std::string name, std::string value);
};

// Answers one request; to be called once, now or later, by any thread.
using Reply = std::function<void(const HttpResponse&)>;

// An answer with a JSON body.
HttpResponse json_response(int status, std::string json);

// The head of the answer as FastCGI wants it: "Status: 201 Created", the headers, an empty line.
std::string response_head(const HttpResponse& response);

}  // namespace postern
