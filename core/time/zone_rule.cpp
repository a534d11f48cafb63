#include "core/time/zone_rule.h"

#include <algorithm>
#include <utility>

#include "core/base/text.h"

namespace postern {
namespace {

using namespace std::chrono;

using Day = ZoneRule::Day;

// Years beyond are outside of what std::chrono::year can tell.
constexpr year kFirstYear{-32'000};
constexpr year kLastYear{32'000};
constexpr sys_seconds kFirst = sys_days{kFirstYear / 1 / 1};
constexpr sys_seconds kEnd = sys_days{kLastYear / 1 / 1};

// Reads a text from its begin to its end; what does not fit is nullopt or false.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  bool at_end() const { return rest_.empty(); }
  bool at(char c) const { return rest_.starts_with(c); }
  bool take(char c) {
    if (!at(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  // "CET", or "<+01>".
  bool name() {
    const bool quoted = take('<');
    std::size_t size = 0;
    while (size < rest_.size() && is_of_name(rest_[size], quoted)) ++size;
    rest_.remove_prefix(size);
    return size >= 3 && (!quoted || take('>'));
  }

  std::optional<int> number(int least, int most) {
    std::size_t size = 0;
    int number = 0;
    for (; size < rest_.size() && is_digit(rest_[size]) && number <= most; ++size) {
      number = number * 10 + (rest_[size] - '0');
    }
    if (size == 0 || number < least || number > most) return std::nullopt;
    rest_.remove_prefix(size);
    return number;
  }

  // [+-]hh[:mm[:ss]]
  std::optional<Seconds> time(int most_hours) {
    const bool negative = take('-');
    if (!negative) take('+');
    const auto whole = number(0, most_hours);
    if (!whole) return std::nullopt;
    Seconds time = hours{*whole};
    for (const Seconds unit : {Seconds{60}, Seconds{1}}) {
      if (!take(':')) break;
      const auto part = number(0, 59);
      if (!part) return std::nullopt;
      time += *part * unit;
    }
    return negative ? -time : time;
  }

  // What is added to UTC: the opposite of how it is written.
  std::optional<Seconds> offset() {
    const auto west = time(24);
    if (!west) return std::nullopt;
    return -*west;
  }

  // "M3.5.0", "J60" or "59", and perhaps "/2".
  std::optional<Day> day() {
    Day day{.at = hours{2}};
    std::optional<int> number_of_day;
    if (take('M')) {
      const auto month = number(1, 12);
      if (!month || !take('.')) return std::nullopt;
      const auto week = number(1, 5);
      if (!week || !take('.')) return std::nullopt;
      day.kind = Day::Kind::weekday;
      day.month = static_cast<unsigned>(*month);
      day.week = static_cast<unsigned>(*week);
      number_of_day = number(0, 6);
    } else if (take('J')) {
      day.kind = Day::Kind::leapless;
      number_of_day = number(1, 365);
    } else {
      number_of_day = number(0, 365);
    }
    if (!number_of_day) return std::nullopt;
    day.number = *number_of_day;
    if (take('/')) {
      const auto at = time(167);
      if (!at) return std::nullopt;
      day.at = *at;
    }
    return day;
  }

 private:
  static bool is_of_name(char c, bool quoted) {
    return is_lower(c) || is_upper(c) || (quoted && (is_digit(c) || c == '+' || c == '-'));
  }

  std::string_view rest_;
};

// When clocks that are `offset` ahead of UTC change in that year.
sys_seconds instant_of(const Day& day, year of, Seconds offset) {
  sys_days date;
  switch (day.kind) {
    case Day::Kind::leapless:
      date = of / 1 / 1;
      date += days{day.number - (of.is_leap() && day.number >= 60 ? 0 : 1)};
      break;
    case Day::Kind::counted: date = sys_days{of / 1 / 1} + days{day.number}; break;
    case Day::Kind::weekday: {
      const weekday wanted{static_cast<unsigned>(day.number)};
      const month in{day.month};
      date =
          day.week == 5 ? sys_days{of / in / wanted[last]} : sys_days{of / in / wanted[day.week]};
      break;
    }
  }
  return date + day.at - offset;
}

}  // namespace

std::optional<ZoneRule> ZoneRule::parse(std::string_view text) {
  Reader in(text);
  ZoneRule rule;
  if (!in.name()) return std::nullopt;
  const auto standard = in.offset();
  if (!standard) return std::nullopt;
  rule.standard_ = *standard;
  if (!in.at_end()) {
    if (!in.name()) return std::nullopt;
    const auto summer = in.at(',') ? rule.standard_ + hours{1} : in.offset();
    if (!summer || !in.take(',')) return std::nullopt;
    const auto start = in.day();
    if (!start || !in.take(',')) return std::nullopt;
    const auto end = in.day();
    if (!end || !in.at_end()) return std::nullopt;
    rule.changes_ = true;
    rule.summer_ = *summer;
    rule.start_ = *start;
    rule.end_ = *end;
  }
  // core/time/zones relies on it.
  if (abs(rule.standard_) >= days{1} || abs(rule.summer_) >= days{1}) return std::nullopt;
  return rule;
}

ZoneSpan ZoneRule::span_at(sys_seconds time) const {
  if (!changes_) return {sys_seconds::min(), sys_seconds::max(), standard_};
  if (time < kFirst) return {sys_seconds::min(), kFirst, standard_};
  if (time >= kEnd) return {kEnd, sys_seconds::max(), standard_};
  // A change may fall 8 days before or after its year. Of two at the same instant the start of
  // summer time counts, which is how a rule says that it never ends.
  const year now = year_month_day{floor<days>(time)}.year();
  using Change = std::pair<sys_seconds, bool>;  // to summer time
  Change before{kFirst, false};
  sys_seconds after = kEnd;
  for (year each = now - years{2}; each <= now + years{2}; ++each) {
    for (const Change& change : {Change{instant_of(start_, each, standard_), true},
                                 Change{instant_of(end_, each, summer_), false}}) {
      if (change.first <= time) {
        before = std::max(before, change);
      } else {
        after = std::min(after, change.first);
      }
    }
  }
  return {before.first, after, before.second ? summer_ : standard_};
}

std::string_view zone_footer(std::string_view file) {
  constexpr std::string_view kMagic = "TZif";
  if (!file.starts_with(kMagic) || file.size() <= kMagic.size() || file[kMagic.size()] < '2' ||
      !file.ends_with('\n')) {
    return {};
  }
  file.remove_suffix(1);
  const auto begin = file.rfind('\n');
  return begin == file.npos ? std::string_view() : file.substr(begin + 1);
}

}  // namespace postern
