#include "core/base/json.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>
#include <boost/json/basic_parser_impl.hpp>

#include "core/base/hex.h"

namespace postern {
namespace {

// Ignores Boost's events: the parser is used only to find out whether the text is valid.
struct NullHandler {
  using error_code = boost::json::error_code;
  using string_view = boost::json::string_view;
  static constexpr std::size_t max_object_size = std::size_t(-1);
  static constexpr std::size_t max_array_size = std::size_t(-1);
  static constexpr std::size_t max_key_size = std::size_t(-1);
  static constexpr std::size_t max_string_size = std::size_t(-1);
  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code&) { return true; }
  bool on_object_end(std::size_t, error_code&) { return true; }
  bool on_array_begin(error_code&) { return true; }
  bool on_array_end(std::size_t, error_code&) { return true; }
  bool on_key_part(string_view, std::size_t, error_code&) { return true; }
  bool on_key(string_view, std::size_t, error_code&) { return true; }
  bool on_string_part(string_view, std::size_t, error_code&) { return true; }
  bool on_string(string_view, std::size_t, error_code&) { return true; }
  bool on_number_part(string_view, error_code&) { return true; }
  bool on_int64(std::int64_t, string_view, error_code&) { return true; }
  bool on_uint64(std::uint64_t, string_view, error_code&) { return true; }
  bool on_double(double, string_view, error_code&) { return true; }
  bool on_bool(bool, error_code&) { return true; }
  bool on_null(error_code&) { return true; }
  bool on_comment_part(string_view, error_code&) { return true; }
  bool on_comment(string_view, error_code&) { return true; }
};

Error invalid_json(std::string_view field, std::string message) {
  return invalid("invalid_json", std::string(field), std::move(message));
}

// The four digits after "\u". REQUIRES: they are there.
std::uint32_t code_unit(std::string_view text, std::size_t at) {
  std::uint32_t unit = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    unit = unit << 4 | static_cast<std::uint32_t>(hex_value(text[at + i]));
  }
  return unit;
}

std::size_t read_as_boost(std::string_view text, boost::json::error_code& error,
                          std::size_t max_depth) {
  boost::json::parse_options options;
  options.max_depth = max_depth;
  boost::json::basic_parser<NullHandler> parser(options);
  return parser.write_some(false, text.data(), text.size(), error);
}

// `text` with U+FFFD in place of each escape that is half a surrogate pair; its length is the same.
std::string with_whole_pairs(std::string_view text) {
  constexpr std::string_view kReplacement = "\\ufffd";
  const auto is_in = [&](std::size_t at, std::uint32_t first, std::uint32_t last) {
    if (text.substr(at, 2) != "\\u" || text.size() < at + kReplacement.size()) return false;
    const std::uint32_t unit = code_unit(text, at + 2);
    return unit >= first && unit <= last;
  };
  std::string out(text);
  for (std::size_t at = text.find('\\'); at < text.size(); at = text.find('\\', at)) {
    if (is_in(at, 0xD800, 0xDBFF) && is_in(at + kReplacement.size(), 0xDC00, 0xDFFF)) {
      at += 2 * kReplacement.size();
    } else if (is_in(at, 0xD800, 0xDFFF)) {
      out.replace(at, kReplacement.size(), kReplacement);
      at += kReplacement.size();
    } else {
      at += 2;  // the backslash may be escaped itself
    }
  }
  return out;
}

// As far as `text` is valid, and what is wrong there. Half a surrogate pair is valid: the grammar
// has it (RFC 8259, 8.2), and JavaScript writes it when a string was cut inside a character. Boost
// refuses it, as a syntax error.
std::size_t read_valid(std::string_view text, boost::json::error_code& error,
                       std::size_t max_depth = kMaxJsonDepth) {
  const std::size_t read = read_as_boost(text, error, max_depth);
  if (!error || text.find("\\u") == text.npos) return read;
  const std::string whole = with_whole_pairs(text);
  if (whole == text) return read;
  error.clear();
  return read_as_boost(whole, error, max_depth);
}

// The length of the valid JSON value that `text` begins with, and of the white space around it.
Result<std::size_t> read_json(std::string_view text, std::string_view field) {
  if (text.starts_with("\xEF\xBB\xBF")) {
    return invalid_json(field, "The JSON begins with a byte order mark; leave it out.");
  }
  boost::json::error_code error;
  const std::size_t read = read_valid(text, error);
  if (error) {
    if (error == boost::json::error::too_deep) {
      return invalid_json(field,
                          fmt::format("The JSON is nested deeper than {} levels.", kMaxJsonDepth));
    }
    return invalid_json(field, fmt::format("This is not valid JSON: {}.", error.message()));
  }
  return read;
}

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

// Walks JSON that is known to be valid: it checks nothing but the end of the text.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  void skip_space() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  }

  // The next byte after white space, '\0' at the end; it is not taken.
  char peek() {
    skip_space();
    return at_ < text_.size() ? text_[at_] : '\0';
  }

  // Takes the next byte after white space.
  void take() {
    skip_space();
    ++at_;
  }

  // Takes one value and returns its bytes.
  std::string_view value() {
    skip_space();
    const std::size_t begin = at_;
    if (at_ < text_.size()) {
      switch (text_[at_]) {
        case '"': skip_string(); break;
        case '{':
        case '[': skip_container(); break;
        default: at_ = std::min(text_.find_first_of(",]} \n\r\t", at_), text_.size());
      }
    }
    return text_.substr(begin, at_ - begin);
  }

 private:
  // REQUIRES: at a quote.
  void skip_string() {
    ++at_;
    while (at_ < text_.size()) {
      const void* quote = std::memchr(text_.data() + at_, '"', text_.size() - at_);
      if (quote == nullptr) break;
      const auto end = static_cast<std::size_t>(static_cast<const char*>(quote) - text_.data());
      // The quote is escaped when an odd number of backslashes stands before it.
      std::size_t first = end;
      while (first > at_ && text_[first - 1] == '\\') --first;
      at_ = end + 1;
      if ((end - first) % 2 == 0) return;
    }
    at_ = text_.size();
  }

  // REQUIRES: at an opening bracket.
  void skip_container() {
    std::size_t depth = 0;
    while (at_ < text_.size()) {
      switch (text_[at_]) {
        case '"': skip_string(); continue;
        case '{':
        case '[': ++depth; break;
        case '}':
        case ']': --depth; break;
        default: break;
      }
      ++at_;
      if (depth == 0) return;
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

void append_utf8(std::string& out, std::uint32_t code) {
  const auto add = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) {
    add(code);
  } else if (code < 0x800) {
    add(0xC0 | code >> 6);
    add(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    add(0xE0 | code >> 12);
    add(0x80 | (code >> 6 & 0x3F));
    add(0x80 | (code & 0x3F));
  } else {
    add(0xF0 | code >> 18);
    add(0x80 | (code >> 12 & 0x3F));
    add(0x80 | (code >> 6 & 0x3F));
    add(0x80 | (code & 0x3F));
  }
}

// The members of the object that valid `text` begins with, in order.
Result<std::vector<JsonMember>> scan_members(std::string_view text, std::string_view field) {
  Scanner scanner(text);
  if (scanner.peek() != '{') {
    return invalid("object_required", std::string(field),
                   field.empty() ? "The body must be a JSON object."
                                 : fmt::format("{} must be a JSON object.", field));
  }

  std::vector<JsonMember> members;
  members.reserve(8);
  while (scanner.peek() != '}') {
    scanner.take();  // the opening bracket or a comma
    if (scanner.peek() == '}') break;
    if (members.size() == kMaxJsonMembers) {
      return invalid("too_many_fields", std::string(field),
                     fmt::format("A JSON object has more than {} fields.", kMaxJsonMembers));
    }
    Result<std::string> key = json_string(scanner.value(), field);
    if (!key) return key.error();
    scanner.take();  // the colon
    members.push_back({std::move(*key), scanner.value()});
  }
  return members;
}

// A key that occurs twice, or nullptr. Above a small number the keys are sorted: comparing each
// pair would let a body of 100,000 keys hold a thread for minutes.
const std::string* repeated_key(const std::vector<JsonMember>& members) {
  constexpr std::size_t kFew = 16;
  if (members.size() <= kFew) {
    for (std::size_t i = 1; i < members.size(); ++i) {
      for (std::size_t k = 0; k < i; ++k) {
        if (members[k].key == members[i].key) return &members[i].key;
      }
    }
    return nullptr;
  }
  std::vector<const std::string*> keys;
  keys.reserve(members.size());
  for (const JsonMember& member : members) keys.push_back(&member.key);
  std::sort(keys.begin(), keys.end(), [](auto* a, auto* b) { return *a < *b; });
  const auto twice =
      std::adjacent_find(keys.begin(), keys.end(), [](auto* a, auto* b) { return *a == *b; });
  return twice == keys.end() ? nullptr : *twice;
}

}  // namespace

Result<std::vector<JsonMember>> parse_json_object(std::string_view text, std::string_view field) {
  const Result<std::size_t> read = read_json(text, field);
  if (!read) return read.error();
  if (*read < text.size()) {
    return invalid_json(
        field, fmt::format("Something follows the end of the JSON value, at byte {}.", *read));
  }
  return json_members(text, field);
}

Result<std::vector<JsonMember>> parse_go_object(std::string_view text) {
  if (const auto read = read_json(text, ""); !read) return read.error();
  auto members = scan_members(text, "");
  if (!members) return members;
  for (JsonMember& member : *members) {
    for (char& c : member.key) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
  }
  return members;
}

Result<std::vector<JsonMember>> json_members(std::string_view text, std::string_view field) {
  auto members = scan_members(text, field);
  if (!members) return members;
  if (const std::string* key = repeated_key(*members)) {
    constexpr std::size_t kShown = 100;
    const std::string shown = key->substr(0, kShown);
    return invalid("duplicate_field", field.empty() ? shown : fmt::format("{}.{}", field, shown),
                   fmt::format("The field \"{}\" is given twice.", shown));
  }
  return members;
}

std::size_t valid_json_bytes(std::string_view text) {
  boost::json::error_code error;
  return read_valid(text, error);
}

bool is_json(std::string_view text, std::size_t max_depth) {
  boost::json::error_code error;
  return read_valid(text, error, max_depth) == text.size() && !error;
}

std::vector<std::string_view> json_elements(std::string_view text, std::size_t most) {
  Scanner scanner(text);
  std::vector<std::string_view> elements;
  while (elements.size() < most && scanner.peek() != ']') {
    scanner.take();  // the opening bracket or a comma
    if (scanner.peek() == ']') break;
    elements.push_back(scanner.value());
  }
  return elements;
}

JsonKind json_kind(std::string_view raw) {
  switch (raw.empty() ? '\0' : raw.front()) {
    case 'n': return JsonKind::null;
    case 't':
    case 'f': return JsonKind::boolean;
    case '"': return JsonKind::string;
    case '[': return JsonKind::array;
    case '{': return JsonKind::object;
    default: return JsonKind::number;
  }
}

double json_number(std::string_view raw) {
  double value = 0;
  const auto read = std::from_chars(raw.data(), raw.data() + raw.size(), value);
  // It leaves open on which side of the range a number is, which strtod tells by its value.
  if (read.ec == std::errc::result_out_of_range)
    return std::strtod(std::string(raw).c_str(), nullptr);
  return value;
}

Result<std::string> json_string(std::string_view raw, std::string_view field) {
  const std::string_view text = raw.substr(1, raw.size() - 2);
  std::size_t escape = text.find('\\');
  if (escape == text.npos) return std::string(text);

  const auto lone_surrogate = [&] {
    return invalid_json(field, "A string holds half of a surrogate pair (\\ud800 to \\udfff).");
  };
  std::string out;
  out.reserve(text.size());
  std::size_t at = 0;
  for (; escape != text.npos; escape = text.find('\\', at)) {
    out.append(text.substr(at, escape - at));
    at = escape + 2;
    switch (const char c = text[escape + 1]) {
      case 'b': out += '\b'; break;
      case 'f': out += '\f'; break;
      case 'n': out += '\n'; break;
      case 'r': out += '\r'; break;
      case 't': out += '\t'; break;
      case 'u': {
        std::uint32_t code = code_unit(text, at);
        at += 4;
        if (code >= 0xDC00 && code <= 0xDFFF) return lone_surrogate();
        if (code >= 0xD800 && code <= 0xDBFF) {
          if (text.substr(at, 2) != "\\u") return lone_surrogate();
          const std::uint32_t low = code_unit(text, at + 2);
          if (low < 0xDC00 || low > 0xDFFF) return lone_surrogate();
          at += 6;
          code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        }
        append_utf8(out, code);
        break;
      }
      default:  // a quote, a backslash or a slash
        out += c;
    }
  }
  out.append(text.substr(at));
  return out;
}

}  // namespace postern
