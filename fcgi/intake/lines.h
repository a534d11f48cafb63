// Who waits for the intake's thread: a line for each tenant, and how they take turns.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace postern {

struct IntakeJob;

// Not thread-safe. Jobs of a tenant leave in the order in which they came, but for take_turn.
class IntakeLines {
 public:
  using Jobs = std::vector<std::shared_ptr<IntakeJob>>;
  using Clock = std::chrono::steady_clock;

  // What may wait in all, in bytes. More would only wait to be told that it took too long.
  static constexpr std::size_t kMaxBytes = 64 * 1024 * 1024;
  // What goes together, and what a tenant has of it while others wait. A job counts for 1 KiB and
  // its body, so these bound the rows, too. Whoever comes waits for what is being written: batches
  // of 8 MiB took 70 to 690 ms.
  static constexpr std::size_t kMaxBatchBytes = 512 * 1024;
  static constexpr std::size_t kTurnBytes = 128 * 1024;
  static constexpr std::size_t kMaxTurnJobs = 100;  // of take_turn

  bool empty() const { return lines_.empty(); }

  // Whether a job of this tenant's is let in: while there is less than kMaxBytes, and over that
  // when the tenant has less than an equal part. So whoever has nothing here is let in, however
  // much others have.
  bool has_room(const std::string& tenant) const;

  // To the end of its tenant's line.
  void add(std::shared_ptr<IntakeJob> job);

  // A batch of all tenants': of each line what its turn allows (a job that is larger than a turn
  // saves up for it, as in deficit round robin), or of a single one as much as goes together. A job
  // that is larger than that goes alone. Empty: there is none.
  Jobs take_round();

  // A batch of one tenant's, the next in turn: jobs of one queue, those behind others included, or
  // one that goes `alone`. Empty: there is none.
  Jobs take_turn();

  // Those that came before `time`.
  Jobs take_older(Clock::time_point time);
  Jobs take_all();

 private:
  struct Line {
    std::deque<std::shared_ptr<IntakeJob>> jobs;
    std::size_t bytes = 0;
    std::size_t credit = 0;  // bytes that it may still send
  };
  using ByTenant = std::map<std::string, Line>;

  ByTenant::iterator next_line();
  void visit_all(Jobs& batch);
  void take_front(Line& line, Jobs& batch);
  ByTenant::iterator drop_if_empty(ByTenant::iterator line);

  ByTenant lines_;      // none is empty
  std::string served_;  // the tenant whose turn was the last
  std::size_t bytes_ = 0;
};

}  // namespace postern
