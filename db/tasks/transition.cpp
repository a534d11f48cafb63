#include "db/tasks/transition.h"

namespace postern::db {

Transition transition_from(const Value& outcome) {
  if (outcome.is_null()) return {Transition::Kind::missing, State::ready};
  if (outcome.text() == "done") return {Transition::Kind::done, State::ready};
  return {Transition::Kind::wrong_state, state_from(outcome.text())};
}

}  // namespace postern::db
