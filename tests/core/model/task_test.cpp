#include "core/model/task.h"

#include <stdexcept>

#include <gtest/gtest.h>

namespace postern {
namespace {

TEST(TaskWords, AreThoseOfTheTables) {
  const std::pair<State, const char*> states[] = {
      {State::ready, "ready"},         {State::delayed, "delayed"},     {State::active, "active"},
      {State::blocked, "blocked"},     {State::completed, "completed"}, {State::failed, "failed"},
      {State::cancelled, "cancelled"},
  };
  for (const auto& [value, word] : states) {
    EXPECT_EQ(name(value), word);
    EXPECT_EQ(state_from(word), value) << word;
  }

  const std::pair<Reason, const char*> reasons[] = {
      {Reason::none, ""},
      {Reason::exhausted, "exhausted"},
      {Reason::deadline, "deadline"},
      {Reason::signal_timeout, "signal_timeout"},
      {Reason::terminated, "terminated"},
      {Reason::gone, "gone"},
      {Reason::egress_denied, "egress_denied"},
      {Reason::invalid, "invalid"},
      {Reason::unreachable, "unreachable"},
      {Reason::cancelled, "cancelled"},
      {Reason::queue_purged, "queue_purged"},
      {Reason::queue_deleted, "queue_deleted"},
  };
  for (const auto& [value, word] : reasons) {
    EXPECT_EQ(name(value), word);
    EXPECT_EQ(reason_from(word), value) << word;
  }

  const std::pair<Dialect, const char*> dialects[] = {
      {Dialect::native, "native"},
      {Dialect::asyncqueue, "asyncqueue"},
      {Dialect::taskmq, "taskmq"},
      {Dialect::asyncjobs, "asyncjobs"},
  };
  for (const auto& [value, word] : dialects) {
    EXPECT_EQ(name(value), word);
    EXPECT_EQ(dialect_from(word), value) << word;
  }

  for (const auto& [value, word] :
       {std::pair{BodyForm::payload, "payload"}, std::pair{BodyForm::raw, "raw"}}) {
    EXPECT_EQ(name(value), word);
    EXPECT_EQ(body_form_from(word), value) << word;
  }
}

TEST(TaskWords, ThrowWhenUnknown) {
  EXPECT_THROW(state_from("Ready"), std::runtime_error);
  EXPECT_THROW(state_from(""), std::runtime_error);
  EXPECT_THROW(reason_from("none"), std::runtime_error);
  EXPECT_THROW(dialect_from("auto"), std::runtime_error);
  EXPECT_THROW(body_form_from("json"), std::runtime_error);
}

TEST(IsFinished, HoldsForTheThreeEnds) {
  for (const State live : {State::ready, State::delayed, State::active, State::blocked}) {
    EXPECT_FALSE(is_finished(live)) << name(live);
  }
  for (const State over : {State::completed, State::failed, State::cancelled}) {
    EXPECT_TRUE(is_finished(over)) << name(over);
  }
}

}  // namespace
}  // namespace postern
