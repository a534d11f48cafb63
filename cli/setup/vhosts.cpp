#include "cli/setup/vhosts.h"

#include <algorithm>
#include <optional>

namespace postern::admin::setup {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

// The words of nginx's language. `;`, `{` and `}` are words of their own.
class Words {
 public:
  explicit Words(std::string_view text) : text_(text) {}

  // The next word; nullopt at the end. `at` is where it began.
  std::optional<std::string> next() {
    for (;;) {
      at = std::min(text_.find_first_not_of(kSpace, end_), text_.size());
      if (at == text_.size()) return std::nullopt;
      if (text_[at] != '#') break;
      end_ = std::min(text_.find('\n', at), text_.size());
    }
    const char first = text_[at];
    if (first == ';' || first == '{' || first == '}') {
      end_ = at + 1;
      return std::string(1, first);
    }
    if (first == '"' || first == '\'') return quoted(first);
    end_ = at;
    while (end_ < text_.size() && kSpace.find(text_[end_]) == kSpace.npos && text_[end_] != ';' &&
           text_[end_] != '{' && text_[end_] != '}') {
      if (text_.substr(end_, 2) == "${") end_ = std::min(text_.find('}', end_), text_.size() - 1);
      end_ += text_[end_] == '\\' ? 2 : 1;
    }
    end_ = std::min(end_, text_.size());
    return std::string(text_.substr(at, end_ - at));
  }

  std::size_t at = 0;

 private:
  std::string quoted(char quote) {
    std::string out;
    for (end_ = at + 1; end_ < text_.size() && text_[end_] != quote; ++end_) {
      if (text_[end_] == '\\' && end_ + 1 < text_.size()) {
        // Of others the backslash stays, as in a regular expression.
        if (std::string_view("\"'\\").find(text_[++end_]) == std::string_view::npos) out += '\\';
      }
      out += text_[end_];
    }
    end_ = std::min(end_ + 1, text_.size());
    // Quoted, these are texts.
    return out == ";" || out == "{" || out == "}" ? "'" + out + "'" : out;
  }

  std::string_view text_;
  std::size_t end_ = 0;
};

void note(Server& server, const std::vector<std::string>& words) {
  if (words.empty()) return;
  if (words[0] == "server_name") {
    server.names.insert(server.names.end(), words.begin() + 1, words.end());
  } else if (words[0] == "include" && words.size() == 2) {
    server.includes.push_back(words[1]);
  } else if (words[0] == "listen") {
    server.tls = server.tls || std::find(words.begin(), words.end(), "ssl") != words.end();
  }
}

}  // namespace

std::vector<Server> servers_of(std::string_view text) {
  std::vector<Server> out;
  std::optional<Server> server;
  std::size_t depth = 0;
  std::size_t depth_of_server = 0;
  std::vector<std::string> words;
  Words source(text);
  while (const auto word = source.next()) {
    if (*word == "{") {
      ++depth;
      if (!server && words == std::vector<std::string>{"server"}) {
        server.emplace();
        depth_of_server = depth;
        server->line = static_cast<std::size_t>(
            std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(source.at), '\n') +
            1);
      }
      words.clear();
    } else if (*word == "}") {
      if (server && depth == depth_of_server) {
        server->close = source.at;
        out.push_back(std::move(*server));
        server.reset();
      }
      if (depth > 0) --depth;
      words.clear();
    } else if (*word == ";") {
      if (server && depth == depth_of_server) note(*server, words);
      words.clear();
    } else {
      words.push_back(*word);
    }
  }
  return out;
}

std::string with_directive(const std::string& text, const Server& server,
                           const std::string& directive) {
  const auto newline = text.rfind('\n', server.close);
  const auto line = newline == text.npos ? 0 : newline + 1;
  const auto indent = text.substr(line, server.close - line);
  auto out = text;
  if (indent.find_first_not_of(" \t") == indent.npos) {
    out.insert(line, indent + "    " + directive + "\n");
  } else {
    out.insert(server.close, " " + directive + " ");
  }
  return out;
}

}  // namespace postern::admin::setup
