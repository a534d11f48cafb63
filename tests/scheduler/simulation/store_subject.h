// A store to be held to what its questions mean, with what surrounds the scheduler: clients,
// operators, and time.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/model/task.h"
#include "tests/scheduler/simulation/model_database.h"

namespace postern::simulation {

class Subject {
 public:
  virtual ~Subject() = default;

  virtual db::Store& store() = 0;
  // Until `answered`.
  virtual void drive(const std::function<bool()>& answered) = 0;
  virtual Time now() = 0;  // of its database's clock
  // All that it knows of times becomes so much older.
  virtual void pass(Seconds time) = 0;

  virtual void insert(const NewTask& task) = 0;
  virtual bool cancel(const TaskId& id) = 0;
  virtual void set_queue(const std::string& name, const Limits& limits) = 0;
  virtual void set_endpoint(const std::string& name, const std::string& url,
                            const Limits& limits) = 0;
  virtual void set_schedule(const Schedule& schedule, const std::string& tenant) = 0;
  virtual void measure() = 0;  // how many tasks wait
  virtual void pause(bool paused) = 0;
  virtual void leave(const Uuid& instance) = 0;

  struct Seen {
    State state;
    Reason reason;
    int attempt;  // counted in its row
    bool operator==(const Seen&) const = default;
  };
  virtual Seen see(const TaskId& id) = 0;
};

std::unique_ptr<Subject> make_model();
std::unique_ptr<Subject> make_postgresql();

}  // namespace postern::simulation
