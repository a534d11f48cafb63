#include "core/program/log.h"

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "core/time/time.h"

namespace postern {
namespace {

// The prefix by which journald reads a line's priority, see sd-daemon(3).
std::string_view journal_prefix(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::critical:
    case spdlog::level::err: return "<3>";
    case spdlog::level::warn: return "<4>";
    case spdlog::level::info: return "<6>";
    default: return "<7>";
  }
}

spdlog::level::level_enum level_of(log::Level level) {
  switch (level) {
    case log::Level::debug: return spdlog::level::debug;
    case log::Level::info: return spdlog::level::info;
    case log::Level::warning: return spdlog::level::warn;
    case log::Level::error: return spdlog::level::err;
    case log::Level::critical: break;
  }
  return spdlog::level::critical;
}

// Appends `text` with its control bytes escaped, so that every message stays one line.
template <class Output>
void append_escaped(Output& out, std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f) {
      out.push_back(c);
    } else if (c == '\n') {
      out.append(std::string_view("\\n"));
    } else {
      out.append(fmt::format("\\x{:02x}", byte));
    }
  }
}

// Formats "<6>message", with the time in between unless stderr is the journal, which adds its own.
class JournalFormatter : public spdlog::formatter {
 public:
  explicit JournalFormatter(bool with_time) : with_time_(with_time) {}

  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    out.append(journal_prefix(message.level));
    if (with_time_) {
      const auto time = std::chrono::floor<Microseconds>(message.time);
      out.append(format_rfc3339(time, TimeDigits::millis));
      out.push_back(' ');
    }
    std::string_view text(message.payload.data(), message.payload.size());
    while (text.ends_with('\n')) text.remove_suffix(1);  // libpq's messages end with one
    append_escaped(out, text);
    out.push_back('\n');
  }

  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<JournalFormatter>(with_time_);
  }

 private:
  bool with_time_;
};

}  // namespace

void start_logging(std::string_view level) {
  auto logger =
      std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_formatter(
      std::make_unique<JournalFormatter>(std::getenv("JOURNAL_STREAM") == nullptr));
  logger->set_level(spdlog::level::from_str(std::string(level)));
  spdlog::set_default_logger(std::move(logger));
}

std::string log_safe(std::string_view text, std::size_t most) {
  std::string out;
  // A backslash too: text that ends in one would take its closing quote with it, and go on as keys.
  for (const char c : text.substr(0, most)) {
    if (c == '"' || c == '\\') out += '\\';
    append_escaped(out, {&c, 1});
  }
  if (text.size() > most) out += "...";
  return out;
}

bool log::wants(Level level) { return spdlog::should_log(level_of(level)); }

void log::write(Level level, std::string_view message) {
  spdlog::default_logger_raw()->log(level_of(level), spdlog::string_view_t(message));
}

void log::flush() { spdlog::default_logger_raw()->flush(); }

}  // namespace postern
