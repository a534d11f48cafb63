#include "core/model/task.h"

#include <algorithm>
#include <array>
#include <stdexcept>

#include <fmt/format.h>

namespace postern {
namespace {

// The words of each enumeration, in the order of its enumerators.
constexpr std::array<std::string_view, 7> kStates = {"ready",     "delayed", "active",   "blocked",
                                                     "completed", "failed",  "cancelled"};
constexpr std::array<std::string_view, 17> kReasons = {"",
                                                       "exhausted",
                                                       "deadline",
                                                       "signal_timeout",
                                                       "terminated",
                                                       "gone",
                                                       "egress_denied",
                                                       "invalid",
                                                       "unreachable",
                                                       "cancelled",
                                                       "queue_purged",
                                                       "queue_deleted",
                                                       "discarded",
                                                       "max_age",
                                                       "corrupt_row",
                                                       "queue_full",
                                                       "quota_exceeded"};
constexpr std::array<std::string_view, 2> kBodyForms = {"payload", "raw"};

static_assert(kStates.size() == static_cast<std::size_t>(State::cancelled) + 1);
static_assert(kReasons.size() == static_cast<std::size_t>(Reason::quota_exceeded) + 1);
static_assert(kBodyForms.size() == static_cast<std::size_t>(BodyForm::raw) + 1);

template <class Enum, std::size_t n>
Enum enum_from(const std::array<std::string_view, n>& words, std::string_view word,
               const char* what) {
  for (std::size_t i = 0; i < n; ++i) {
    if (words[i] == word) return static_cast<Enum>(i);
  }
  throw std::runtime_error(fmt::format("the database holds an unknown {}: \"{}\"", what, word));
}

}  // namespace

std::string_view name(State value) { return kStates[static_cast<std::size_t>(value)]; }
std::string_view name(Reason value) { return kReasons[static_cast<std::size_t>(value)]; }
std::string_view name(BodyForm value) { return kBodyForms[static_cast<std::size_t>(value)]; }

State state_from(std::string_view word) { return enum_from<State>(kStates, word, "state"); }
Reason reason_from(std::string_view word) { return enum_from<Reason>(kReasons, word, "reason"); }

std::span<const std::string_view> reason_words() { return std::span(kReasons).subspan(1); }

std::optional<Reason> parse_reason(std::string_view word) {
  const auto words = reason_words();
  const auto found = std::find(words.begin(), words.end(), word);
  if (found == words.end()) return std::nullopt;
  return static_cast<Reason>(found - words.begin() + 1);
}

BodyForm body_form_from(std::string_view word) {
  return enum_from<BodyForm>(kBodyForms, word, "body form");
}

std::string corrupt_row_error(std::string_view what) {
  return fmt::format("its row in the database is odd: {}", what);
}

bool is_finished(State state) {
  switch (state) {
    case State::ready:
    case State::delayed:
    case State::active:
    case State::blocked: return false;
    case State::completed:
    case State::failed:
    case State::cancelled: return true;
  }
  throw std::logic_error("is_finished: not a State");
}

}  // namespace postern
