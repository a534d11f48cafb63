// postern top: the queues as they are at the moment, again every two seconds.
#include <fmt/format.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <map>
#include <memory>
#include <optional>

#include "cli/command/commands.h"
#include "cli/command/ending.h"
#include "cli/objects/client.h"
#include "cli/output/local_time.h"
#include "cli/output/show.h"
#include "cli/output/table.h"
#include "core/program/clock.h"

namespace postern::admin {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kEveryMilliseconds = 2'000;
constexpr std::size_t kRows = 40;  // where the output has no height

constexpr Column kColumns[] = {
    {"queue", "", 0, 10},   {"ready", "", 1},      {"delayed", "", 1},
    {"active", "", 1},      {"oldest due", "", 2}, {"created/s", "", 2},
    {"delivered/s", "", 1}, {"failed/s", "", 1},   {"paused", "", 1},
};

// What has been counted of a queue since the database was made.
struct Counted {
  double created = 0, delivered = 0, failed = 0;
};

struct Snapshot {
  Clock::time_point at;
  std::string stats;
  std::map<std::string, Counted> counted;
};

Snapshot taken(Client& client) {
  Snapshot snapshot{Clock::now(), client.ask({"GET", {"stats"}}), {}};
  for (const auto each : JsonObject(snapshot.stats).elements("queues")) {
    const JsonObject queue(each);
    snapshot.counted[queue.text("name")] = {
        queue.number("created"), queue.number("attempts.success"), queue.number("attempts.failed")};
  }
  return snapshot;
}

// Between two snapshots, a second; empty without an earlier one.
class Rates {
 public:
  Rates(const Snapshot& now, const Snapshot* before) : now_(now), before_(before) {}

  std::string of(const std::string& queue, double Counted::*what) const {
    if (before_ == nullptr) return {};
    const auto old = before_->counted.find(queue);
    const double base = old == before_->counted.end() ? 0 : old->second.*what;
    const double seconds = std::chrono::duration<double>(now_.at - before_->at).count();
    return fmt::format("{:.1f}", (now_.counted.at(queue).*what - base) / std::max(seconds, 0.001));
  }

 private:
  const Snapshot& now_;
  const Snapshot* before_;
};

// The busiest first, as many as there is room for.
std::vector<std::string> lines_of(const Snapshot& now, const Snapshot* before, std::size_t width,
                                  std::size_t rows) {
  const JsonObject stats(now.stats);
  std::vector<JsonObject> queues;
  for (const auto each : stats.elements("queues")) queues.emplace_back(each);
  const auto weight = [](const JsonObject& queue) {
    return queue.number("depth.ready") + queue.number("depth.active");
  };
  std::ranges::stable_sort(queues, std::greater<>(), weight);
  const Rates rates(now, before);
  Table table(kColumns);
  for (std::size_t i = 0; i < std::min(rows, queues.size()); ++i) {
    const JsonObject& queue = queues[i];
    const auto name = queue.text("name");
    const auto due = queue.number("oldest_due_seconds");
    table.add({shown_value("name", queue.raw("name")), std::string(queue.raw("depth.ready")),
               std::string(queue.raw("depth.delayed")), std::string(queue.raw("depth.active")),
               due > 0 ? fmt::format("{:.0f} s", due) : "", rates.of(name, &Counted::created),
               rates.of(name, &Counted::delivered), rates.of(name, &Counted::failed),
               queue.is_true("paused") ? "paused" : ""});
  }
  auto lines = table.lines(width);
  const auto schedulers = stats.elements("schedulers");
  const auto up = std::ranges::count_if(
      schedulers, [](const auto& each) { return JsonObject(each).is_true("up"); });
  lines.insert(lines.begin(),
               fmt::format("{}  in flight {}  schedulers {} of {}", local_time(wall_clock()),
                           stats.raw("in_flight"), up, schedulers.size()));
  const auto left = stats.number("queues_left_out") +
                    static_cast<double>(queues.size() - std::min(rows, queues.size()));
  if (stats.is_true("paused")) lines.insert(lines.begin() + 1, kEnginePaused);
  if (left > 0) lines.push_back(fmt::format("and {:g} more queues", left));
  return lines;
}

// The terminal as a screen that is drawn anew: no echo, keys one by one. As it was when it ends.
class Screen {
 public:
  Screen() {
    tcgetattr(STDIN_FILENO, &old_);
    termios raw = old_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | ISIG);
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    fmt::print("\x1b[?1049h\x1b[?25l");
  }
  ~Screen() {
    fmt::print("\x1b[?25h\x1b[?1049l");
    std::fflush(stdout);
    tcsetattr(STDIN_FILENO, TCSANOW, &old_);
  }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  void draw(const std::vector<std::string>& lines) {
    fmt::print("\x1b[H");
    for (const auto& line : lines) fmt::print("{}\x1b[K\n", line);
    fmt::print("q ends\x1b[K\x1b[J");
    std::fflush(stdout);
  }
  // Whether q or Ctrl-C was typed within the time.
  bool asked_to_end(int milliseconds) {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    if (poll(&input, 1, milliseconds) <= 0) return false;
    char c = 'q';
    constexpr char kControlC = 3;
    return read(STDIN_FILENO, &c, 1) != 1 || c == 'q' || c == kControlC;
  }

 private:
  termios old_{};
};

// Until it is asked to end.
void show_live(Client& client, Snapshot now) {
  Screen screen;
  std::optional<Snapshot> before;
  for (;;) {
    // Five lines are not of queues.
    const auto rows = std::max<std::size_t>(output_height(), 7) - 5;
    screen.draw(lines_of(now, before ? &*before : nullptr, output_width(), rows));
    if (screen.asked_to_end(kEveryMilliseconds)) return;
    before = std::move(now);
    now = taken(client);
  }
}

void run(const Context& context, const std::optional<std::string>& tenant) {
  Client client(context, tenant, Client::Purpose::look);
  Snapshot now = taken(client);
  if (context.json) return print_object(now.stats, context);
  if (isatty(STDOUT_FILENO) == 0 || isatty(STDIN_FILENO) == 0) {
    const auto width = context.wide ? std::string::npos : output_width();
    for (const auto& line : lines_of(now, nullptr, width, kRows)) fmt::print("{}\n", line);
    return;
  }
  try {
    return show_live(client, std::move(now));
  } catch (const Exit&) {
    // What was said of it went with the screen: it is asked again where it stays to be read.
    taken(client);
    throw;
  }
}

}  // namespace

void add_top(Command& app, Context& context) {
  auto tenant = std::make_shared<std::optional<std::string>>();
  Command command = app.add("top", "The queues at the moment, again every 2 s; q ends");
  command.option("--tenant", *tenant, "whose, on the host's database; default unless said");
  command.run([&context, tenant] { run(context, *tenant); });
}

}  // namespace postern::admin
