// What kept one scheduler from telling what became of its attempts, and when others could take it
// for dead. Pure.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "core/time/time.h"

namespace postern::simulation {

class Troubles {
 public:
  // Others take it for dead when it has not beaten for `patience`, which is too short if one of
  // them bears its name.
  explicit Troubles(Seconds patience = {}, bool shares_name = false)
      : patience_(patience), shares_name_(shares_name) {}

  // It stands still, or nothing of it reaches the database.
  void add(Monotonic from, Monotonic until) { kept_.emplace_back(from, until); }
  // A beat is in the database.
  void beat(Monotonic now);
  // Its row is taken away: it is dead for whoever looks before its next beat.
  void forgotten(Monotonic now);
  // It is over, properly or not. What is under way may still commit.
  void over(Monotonic now);

  // Whether somebody could rightly take it for dead in this time.
  bool seemed_dead(Monotonic from, Monotonic until) const;
  // The same without its being able to know.
  bool was_misjudged(Monotonic from, Monotonic until) const;
  // Whether in this time it had enough without trouble to tell what it had to tell.
  bool could_tell(Monotonic from, Monotonic until) const;
  // Whether it had trouble since then.
  bool had_any(Monotonic since) const;

 private:
  using Times = std::vector<std::pair<Monotonic, Monotonic>>;  // by their begin
  static bool any(const Times& times, Monotonic from, Monotonic until);

  Seconds patience_;
  bool shares_name_;
  Times kept_;    // from telling
  Times silent_;  // long enough to seem dead
  Times gone_;    // without its row
  std::optional<Monotonic> last_beat_;
  bool gone_now_ = false;
  bool over_ = false;
};

}  // namespace postern::simulation
