#include "cli/output/table.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include <fmt/format.h>

namespace postern::admin {
namespace {

constexpr std::size_t kWidth = 80;
constexpr std::size_t kHeight = 40;
constexpr std::size_t kGap = 2;
constexpr char kCut[] = "…";

// In characters. Those that take two columns are counted as one.
std::size_t length(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string cut(const std::string& text, std::size_t width) {
  if (length(text) <= width) return text;
  std::size_t end = 0;
  for (std::size_t characters = 0; characters + 1 < width; ++characters) {
    ++end;
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) ++end;
  }
  return text.substr(0, end) + kCut;
}

}  // namespace

std::size_t output_width() {
  winsize size{};
  if (isatty(STDOUT_FILENO) == 0 || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return kWidth;
  return size.ws_col == 0 ? kWidth : size.ws_col;
}

std::size_t output_height() {
  winsize size{};
  const bool known = isatty(STDOUT_FILENO) != 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
  return !known || size.ws_row == 0 ? kHeight : size.ws_row;
}

bool wants_colour() {
  static const bool wanted = [] {
    const char* none = std::getenv("NO_COLOR");
    const char* terminal = std::getenv("TERM");
    return isatty(STDOUT_FILENO) != 0 && (none == nullptr || *none == '\0') &&
           terminal != nullptr && std::string_view(terminal) != "dumb";
  }();
  return wanted;
}

// The width of each column; 0: left out.
std::vector<std::size_t> Table::fitted(std::size_t width) const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t widest = 0;
    for (const auto& row : rows_) widest = std::max(widest, length(row[i]));
    // Of no rows all headings are shown.
    const bool is_empty = widest == 0 && !rows_.empty();
    widths.push_back(is_empty ? 0 : std::max(widest, length(columns_[i].heading)));
  }
  if (width == std::string::npos) return widths;
  const auto total = [&] {
    std::size_t sum = 0;
    for (const auto each : widths) sum += each == 0 ? 0 : each + kGap;
    return sum == 0 ? 0 : sum - kGap;
  };
  // First texts are cut, the longest first, then columns go, those of the highest rank first.
  const auto shrink = [&] {
    while (total() > width) {
      std::size_t longest = columns_.size();
      for (std::size_t i = 0; i < columns_.size(); ++i) {
        const auto least = columns_[i].least;
        if (least == 0 || widths[i] <= std::max(least, length(columns_[i].heading))) continue;
        if (longest == columns_.size() || widths[i] > widths[longest]) longest = i;
      }
      if (longest == columns_.size()) return false;
      --widths[longest];
    }
    return true;
  };
  for (auto before = widths; !shrink();) {
    std::size_t last = columns_.size();
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (widths[i] == 0 || columns_[i].rank == 0) continue;
      if (last == columns_.size() || columns_[i].rank >= columns_[last].rank) last = i;
    }
    if (last == columns_.size()) break;
    before[last] = 0;
    widths = before;
  }
  return widths;
}

std::vector<std::string> Table::lines(std::size_t width) const {
  const auto widths = fitted(width);
  std::vector<std::string> out;
  const auto line_of = [&](const auto& cell_at, bool with_colour) {
    std::string line, gap;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (widths[i] == 0) continue;
      const std::string text = cut(cell_at(i), widths[i]);
      line += gap + (with_colour ? coloured(text) : text);
      gap = std::string(widths[i] - std::min(widths[i], length(text)) + kGap, ' ');
    }
    return line;
  };
  out.push_back(line_of([&](std::size_t i) { return std::string(columns_[i].heading); }, false));
  for (const auto& row : rows_) {
    out.push_back(line_of([&](std::size_t i) { return row[i]; }, true));
  }
  return out;
}

void Table::print(std::size_t width) const {
  for (const auto& line : lines(width)) fmt::print("{}\n", line);
}

}  // namespace postern::admin
