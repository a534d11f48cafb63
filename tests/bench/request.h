// The text of the requests that bench-load posts: the same each time but for the number of the task
// and the host that its webhook goes to.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/bench/net.h"

namespace bench {

struct RequestForm {
  std::string path = "/";
  std::vector<std::string> headers;
  std::string body;
  std::int64_t batch = 0;  // 0: the body is one task, or whatever it is
  std::uint32_t hosts = 1;
  std::int64_t first = 0;
};

class Requests {
 public:
  explicit Requests(const RequestForm& form) : form_(form) {
    head_ = "POST " + form.path + " HTTP/1.1\r\nHost: 127.0.0.1\r\n";
    for (const std::string& header : form.headers) head_ += header + "\r\n";
    head_ += "Content-Length: ";
    std::string_view rest = form.body;
    for (auto at = rest.find('{'); at != std::string_view::npos; at = rest.find('{', at + 1)) {
      for (const std::string_view mark : {kNumber, kHost}) {
        if (!rest.substr(at).starts_with(mark)) continue;
        pieces_.push_back({std::string(rest.substr(0, at)), mark});
        rest.remove_prefix(at + mark.size());
        at = static_cast<std::size_t>(-1);
        break;
      }
    }
    pieces_.push_back({std::string(rest), {}});
  }

  std::int64_t tasks() const { return form_.batch > 0 ? form_.batch : 1; }

  std::int64_t first_task(std::int64_t request) const { return form_.first + request * tasks(); }

  // Writes request number `request` over `text`.
  void write(std::int64_t request, std::string& text) const {
    if (form_.batch == 0 && pieces_.size() == 1 && !text.empty()) return;  // it is the same
    std::string body = form_.batch > 0 ? R"({"tasks":[)" : "";
    for (std::int64_t i = 0; i < tasks(); ++i) {
      if (i > 0) body += ',';
      append_task(first_task(request) + i, body);
    }
    if (form_.batch > 0) body += "]}";
    text = head_ + std::to_string(body.size()) + "\r\n\r\n" + body;
  }

 private:
  static constexpr std::string_view kNumber = "{n}";
  static constexpr std::string_view kHost = "{host}";

  struct Piece {
    std::string text;
    std::string_view mark;  // what follows the text
  };

  void append_task(std::int64_t number, std::string& body) const {
    for (const Piece& piece : pieces_) {
      body += piece.text;
      if (piece.mark == kNumber) body += std::to_string(number);
      if (piece.mark == kHost) {
        body += loopback_name(1 + static_cast<std::uint32_t>(number % form_.hosts));
      }
    }
  }

  const RequestForm& form_;
  std::string head_;
  std::vector<Piece> pieces_;
};

}  // namespace bench
