#include "core/time/cron_fields.h"

#include <algorithm>
#include <bit>
#include <span>
#include <vector>

#include <fmt/format.h>

namespace postern {
namespace {

using std::chrono::floor;
using std::chrono::local_days;
using std::chrono::year_month;
using std::chrono::year_month_day;
using Minutes = std::chrono::minutes;

template <class T>
using Parsed = boost::system::result<T, std::string>;  // the error is a sentence

constexpr std::string_view kMonths[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                        "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::string_view kWeekdays[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

// One of the five fields: its name for messages, its range, and the words for min, min+1, ...
struct Place {
  std::string_view name;
  unsigned min, max;
  std::span<const std::string_view> words;
};
constexpr Place kMinute{"minute", 0, 59, {}};
constexpr Place kHour{"hour", 0, 23, {}};
constexpr Place kDay{"day of the month", 1, 31, {}};
constexpr Place kMonth{"month", 1, 12, kMonths};
constexpr Place kWeekday{"day of the week", 0, 6, kWeekdays};

constexpr std::pair<std::string_view, std::string_view> kDescriptors[] = {
    {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"},
    {"@weekly", "0 0 * * 0"}, {"@daily", "0 0 * * *"},    {"@midnight", "0 0 * * *"},
    {"@hourly", "0 * * * *"},
};

// The parsed text of one field.
struct Field {
  std::uint64_t values = 0;
  bool bare_star = false;  // "*" or "?", or one of them with step 1
  bool star = false;       // one of them, whatever the step
};

std::uint64_t from_bit(std::uint64_t set, unsigned bit) { return set >> bit << bit; }
std::uint64_t before_bit(std::uint64_t set, unsigned bit) {
  return set & ((std::uint64_t{1} << bit) - 1);
}
unsigned first_bit(std::uint64_t set) { return static_cast<unsigned>(std::countr_zero(set)); }
bool has(std::uint64_t set, unsigned bit) { return (set >> bit & 1) != 0; }

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t end = text.find_first_of(separators);
    parts.push_back(text.substr(0, end));
    if (end == text.npos) return parts;
    text.remove_prefix(end + 1);
  }
}

// A number of up to nine digits, more than any field or sensible step needs; nullopt otherwise.
std::optional<unsigned> number(std::string_view text) {
  if (text.empty() || text.size() > 9) return std::nullopt;
  unsigned value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  return value;
}

Parsed<unsigned> value_or_word(std::string_view text, const Place& place) {
  const std::string lower = to_lower(text.substr(0, 100));
  const auto word = std::find(place.words.begin(), place.words.end(), lower);
  if (word != place.words.end()) {
    return place.min + static_cast<unsigned>(word - place.words.begin());
  }
  const std::optional<unsigned> value = number(text);
  if (!value) {
    return place.words.empty() ? fmt::format("\"{}\" is not a number", text)
                               : fmt::format("\"{}\" is neither a number nor one of {} to {}", text,
                                             place.words.front(), place.words.back());
  }
  if (*value < place.min || *value > place.max) {
    return fmt::format("it must be {} to {}", place.min, place.max);
  }
  return *value;
}

// Reads one element of a list: "5", "1-5", "*", each perhaps with "/step".
Parsed<Field> parse_element(std::string_view text, const Place& place) {
  if (text.empty()) return std::string("the list has an empty place");
  const std::size_t slash = text.find('/');
  std::optional<unsigned> step = 1;
  if (slash != text.npos) step = number(text.substr(slash + 1));
  if (!step || *step == 0) return std::string("the step after \"/\" must be a number from 1 on");

  const std::string_view range = text.substr(0, slash);
  Field field;
  unsigned low = place.min;
  unsigned high = place.max;
  if (range == "*" || range == "?") {
    field.star = true;
    field.bare_star = *step == 1;
  } else {
    const std::size_t hyphen = range.find('-');
    const Parsed<unsigned> first = value_or_word(range.substr(0, hyphen), place);
    if (!first) return first.error();
    low = *first;
    if (hyphen != range.npos) {
      const Parsed<unsigned> last = value_or_word(range.substr(hyphen + 1), place);
      if (!last) return last.error();
      high = *last;
    } else if (slash == text.npos) {  // with a step, a single value begins a range to the maximum
      high = low;
    }
  }
  if (low > high) {
    return fmt::format("the range runs backwards; write two, as in {}-{},{}-{}", low, place.max,
                       place.min, high);
  }
  for (unsigned value = low; value <= high; value += *step)
    field.values |= std::uint64_t{1} << value;
  return field;
}

Parsed<Field> parse_field(std::string_view text, const Place& place) {
  Field field;
  for (const std::string_view element : split(text, ",")) {
    const Parsed<Field> parsed = parse_element(element, place);
    if (!parsed) {
      return fmt::format("The {} \"{}\" is wrong: {}.", place.name, text.substr(0, 100),
                         parsed.error());
    }
    field.values |= parsed->values;
    field.bare_star |= parsed->bare_star;
    field.star |= parsed->star;
  }
  return field;
}

// True when some matching month has a matching day. With `either_day` every month has one, by its
// weekdays.
bool can_fire(const CronFields& fields) {
  if (fields.either_day) return true;
  constexpr unsigned kLongest[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  for (unsigned month = 1; month <= 12; ++month) {
    if (has(fields.months, month) && first_bit(fields.days) <= kLongest[month - 1]) return true;
  }
  return false;
}

// The matching days of `month`; the set of months is not looked at.
std::uint64_t days_of(const CronFields& fields, const year_month& month) {
  const std::chrono::weekday first{local_days{month / 1}};
  // The set of weekdays rotated to begin on the 1st, then repeated for five weeks.
  const std::uint64_t twice = fields.weekdays << 7 | fields.weekdays;
  const std::uint64_t week = twice >> first.c_encoding() & 0x7f;
  const std::uint64_t by_weekday = (week | week << 7 | week << 14 | week << 21 | week << 28) << 1;
  const std::uint64_t both =
      fields.either_day ? fields.days | by_weekday : fields.days & by_weekday;
  const unsigned last = unsigned((month / std::chrono::last).day());
  return both & ((std::uint64_t{2} << last) - 1);
}

// The first time of the day that matches, at `from` (0:00 to 24:00) or later.
std::optional<Minutes> time_at_or_after(const CronFields& fields, Minutes from) {
  const auto hour = static_cast<unsigned>(from.count() / 60);
  const auto minute = static_cast<unsigned>(from.count() % 60);
  if (has(fields.hours, hour)) {
    const std::uint64_t rest = from_bit(fields.minutes, minute);
    if (rest != 0) return Minutes{hour * 60 + first_bit(rest)};
  }
  const std::uint64_t later = from_bit(fields.hours, hour + 1);
  if (later == 0) return std::nullopt;
  return Minutes{first_bit(later) * 60 + first_bit(fields.minutes)};
}

// How many times of a day match before `end` (0:00 to 24:00).
int times_before(const CronFields& fields, Minutes end) {
  const auto hour = static_cast<unsigned>(end.count() / 60);
  const auto minute = static_cast<unsigned>(end.count() % 60);
  int count = std::popcount(before_bit(fields.hours, hour)) * std::popcount(fields.minutes);
  if (has(fields.hours, hour)) count += std::popcount(before_bit(fields.minutes, minute));
  return count;
}

// The matching days of a month that need not match itself.
std::uint64_t days_or_none(const CronFields& fields, const year_month& month) {
  return has(fields.months, unsigned(month.month())) ? days_of(fields, month) : 0;
}

bool matches(const CronFields& fields, local_days date) {
  const year_month_day day{date};
  return has(days_or_none(fields, day.year() / day.month()), unsigned(day.day()));
}

// How many days match from the first of the month of `since` until before `date`.
std::int64_t days_before(const CronFields& fields, year_month since, local_days date) {
  const year_month_day day{date};
  const year_month end = day.year() / day.month();
  std::int64_t count = 0;
  for (year_month month = since; month < end; month += std::chrono::months{1}) {
    count += std::popcount(days_or_none(fields, month));
  }
  return count + std::popcount(before_bit(days_or_none(fields, end), unsigned(day.day())));
}

}  // namespace

Parsed<CronFields> CronFields::parse(std::string_view text) {
  if (text.starts_with('@')) {
    for (const auto& [name, meaning] : kDescriptors) {
      if (name == text) return parse(meaning);
    }
    return fmt::format(
        "There is no \"{}\"; there are @yearly, @annually, @monthly, @weekly, @daily, @midnight, "
        "@hourly and \"@every 1h30m\".",
        text.substr(0, 100));
  }
  std::vector<std::string_view> texts = split(text, kWhitespace);
  std::erase(texts, "");
  if (texts.size() != 5) {
    return fmt::format(
        "A cron expression has 5 fields, minute, hour, day of the month, month and day of the "
        "week; this one has {}.",
        texts.size());
  }
  Parsed<Field> parsed[5] = {parse_field(texts[0], kMinute), parse_field(texts[1], kHour),
                             parse_field(texts[2], kDay), parse_field(texts[3], kMonth),
                             parse_field(texts[4], kWeekday)};
  for (const Parsed<Field>& field : parsed) {
    if (!field) return field.error();
  }
  const auto& [minute, hour, day, month, weekday] = parsed;
  CronFields fields{
      .minutes = minute->values,
      .hours = hour->values,
      .days = day->values,
      .months = month->values,
      .weekdays = weekday->values,
      .either_day = !day->bare_star && !weekday->bare_star,
      .fixed_time = !minute->star && !hour->star,
  };
  if (!can_fire(fields)) {
    return fmt::format("It never fires: no month \"{}\" has a day \"{}\".", texts[3], texts[2]);
  }
  return fields;
}

std::optional<LocalTime> CronFields::at_or_after(LocalTime from, std::chrono::year last) const {
  const auto today = floor<std::chrono::days>(from);
  const year_month_day start{today};
  year_month month{start.year(), start.month()};
  std::uint64_t left = 0;  // the matching days of `month` that are not before `from`
  if (has(months, unsigned(start.month()))) {
    left = from_bit(days_of(*this, month), unsigned(start.day()));
  }
  if (has(left, unsigned(start.day())) && month.year() <= last) {
    const Minutes of_day = std::chrono::ceil<Minutes>(from - today);
    if (const auto time = time_at_or_after(*this, of_day)) return today + *time;
    left = from_bit(left, unsigned(start.day()) + 1);
  }
  while (month.year() <= last) {
    if (left != 0) {
      const Minutes first{first_bit(hours) * 60 + first_bit(minutes)};
      return local_days{month / std::chrono::day{first_bit(left)}} + first;
    }
    month += std::chrono::months{1};
    left = days_or_none(*this, month);
  }
  return std::nullopt;
}

std::int64_t CronFields::count(LocalTime from, LocalTime to) const {
  from = std::chrono::ceil<Minutes>(from);
  to = std::chrono::ceil<Minutes>(to);
  if (from >= to) return 0;
  const local_days first = floor<std::chrono::days>(from), last = floor<std::chrono::days>(to);
  const year_month_day start{first};
  const year_month month = start.year() / start.month();
  const auto times_until = [&](local_days date, LocalTime end) {
    return matches(*this, date) ? times_before(*this, floor<Minutes>(end - date)) : 0;
  };
  const std::int64_t dates = days_before(*this, month, last) - days_before(*this, month, first);
  return dates * std::popcount(hours) * std::popcount(minutes) + times_until(last, to) -
         times_until(first, from);
}

}  // namespace postern
