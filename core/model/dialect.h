// The dialects: the wires that Postern speaks, and the rules that differ between them, a row of
// traits each. Outside this file, fcgi/dialects/ and core/wire/ no code asks which dialect a task
// was made in; it asks for a trait.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

namespace postern {

// The wire a task was created in. It shapes both what the API answers about it and its webhook.
enum class Dialect { native, asyncqueue, taskmq, asyncjobs };

// Of what comes in by no wire: the SQL door, and schedules that do not say otherwise.
inline constexpr Dialect kDefaultDialect = Dialect::native;

// Which dialects may have a queue made by their first task.
enum class QueueMaking {
  by_setting,    // where the setting auto_create_queues says so
  always,        // its queue is the server's own
  default_only,  // DEFAULT, where the setting allow_create_default says so
};

struct DialectTraits {
  Dialect dialect;
  std::string_view name;  // as the database and the mounts spell it

  // Queues.
  std::string_view own_queue = {};  // where all its tasks go, as it knows no queues
  // The setting that names the queue of tasks that name none; empty: there is no such setting, and
  // a task must name its queue.
  std::string_view queue_setting = {};
  QueueMaking makes_queues = QueueMaking::by_setting;

  // Creation.
  bool endpoint_must_exist = false;  // false: it may come later
  bool any_endpoint_name = false;  // any text names an endpoint; what is there may be a part of it
  bool numbers_tasks = false;      // a task has an integer id, too
  bool limits_retries = true;      // false: the wire counts tries, and limits them itself
  bool drops_body_of_get = false;  // which is not sent; false: refused
  bool takes_past_deadline = false;  // such a task expires when it is looked at
  // The retry policy where its queue was never told one; empty: the queue's.
  std::string_view default_policy = {};

  // Idempotency keys.
  bool compares_bodies = true;  // a key stands for its body; false: for its task, whatever the body
  bool replays_refused = false;  // a used key answers for a creation that is refused, too

  // What clients may do to a task.
  bool deletes_any_state = false;  // false: what has not begun
  bool retries_waiting = false;    // what has not begun starts at once
  bool retries_completed = true;
  bool retries_keep_start = false;  // what was cancelled before its time waits for it again

  // Delivery.
  int success_below = 300;       // a status from 200 on, up to but not including this, is a success
  bool queue_timeout = false;    // an attempt's timeout is the queue's max_runtime, else an hour
  bool shows_due_tasks = false;  // a delayed task that is due has another status
};

// In the order of Dialect.
inline constexpr std::array kDialects{
    DialectTraits{
        .dialect = Dialect::native,
        .name = "native",
        .endpoint_must_exist = true,
    },
    DialectTraits{
        .dialect = Dialect::asyncqueue,
        .name = "asyncqueue",
        .own_queue = "asyncqueue",
        .makes_queues = QueueMaking::always,
        .drops_body_of_get = true,
        .success_below = 500,
        .shows_due_tasks = true,
    },
    DialectTraits{
        .dialect = Dialect::taskmq,
        .name = "taskmq",
        .own_queue = "taskmq",
        .makes_queues = QueueMaking::always,
        .any_endpoint_name = true,
        .numbers_tasks = true,
        .retries_completed = false,
        .retries_keep_start = true,
    },
    DialectTraits{
        .dialect = Dialect::asyncjobs,
        .name = "asyncjobs",
        .queue_setting = "asyncjobs_queue",
        .makes_queues = QueueMaking::default_only,
        .limits_retries = false,
        .takes_past_deadline = true,
        .default_policy = "default",
        .compares_bodies = false,
        .replays_refused = true,
        .deletes_any_state = true,
        .retries_waiting = true,
        .queue_timeout = true,
    },
};

inline constexpr auto kAllDialects = [] {
  std::array<Dialect, kDialects.size()> all{};
  std::transform(kDialects.begin(), kDialects.end(), all.begin(),
                 [](const DialectTraits& row) { return row.dialect; });
  return all;
}();

static_assert(std::all_of(kDialects.begin(), kDialects.end(),
                          [](const DialectTraits& row) {
                            const auto place = static_cast<std::size_t>(&row - kDialects.data());
                            return static_cast<std::size_t>(row.dialect) == place;
                          }),
              "kDialects must be in the order of Dialect");

constexpr const DialectTraits& traits(Dialect dialect) {
  return kDialects[static_cast<std::size_t>(dialect)];
}

constexpr std::string_view name(Dialect dialect) { return traits(dialect).name; }

// The reverse, for text from our own tables: an unknown word is a fault (std::runtime_error).
Dialect dialect_from(std::string_view word);

}  // namespace postern
