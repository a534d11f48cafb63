// The columns of a task: the one table by which they are selected, read, sent and moved.
#pragma once

#include <span>
#include <string>

#include "core/model/task.h"
#include "db/pg/connection.h"
#include "db/pg/parameters.h"
#include "db/pg/rows.h"

namespace postern::db {

// One task of a batch, and the lane it was routed to (core/model/lane.h).
struct Insertion {
  const NewTask* task;
  std::int64_t lane;
};

struct TaskColumn {
  const char* name;
  bool stored = true;  // in postern.task and postern.task_finished; false: only sent or selected
  bool moved = false;  // goes along unchanged when a task moves to task_finished

  // How an insertion sends it, as an array with an element for each task; without `bind` it is not
  // sent.
  Oid type = Oid::text;
  void (*bind)(Array&, const Insertion&) = nullptr;
  // Whether a task asks for more than the column's default, of a column that most tasks leave
  // alone; nullptr: all may. It is then left out of batches in which no task does.
  bool (*asks)(const TaskSpec&) = nullptr;
  // What is inserted, from the columns that were sent; nullptr: the column keeps its default.
  const char* inserted = nullptr;

  // What is selected under this name; nullptr: the column itself.
  const char* selected = nullptr;
  // How it is read; one of them, or neither when no task tells it.
  void (*read_spec)(TaskSpec&, const Value&) = nullptr;
  void (*read_task)(Task&, const Value&) = nullptr;
};
std::span<const TaskColumn> task_column_table();

// Which bodies are selected.
enum class Body {
  whole,
  small,     // up to 16 KiB; of others only that there is one
  left_out,  // only that there is one
};

// What is selected of what the caller asked for, and of a whole task: for SpecReader, TaskReader.
std::string spec_columns(Body body);
std::string task_columns(Body body);
// What goes along unchanged when a task moves to task_finished.
std::string moved_columns();

// What is sent and inserted. `common`: without the columns that few tasks ask for, which keep their
// defaults; a fifth of the server's time for a batch went into their NULLs.
enum class Columns { all, common };
// The fewest that `batch` can do with.
Columns columns_for(std::span<const Insertion> batch);

// Of an insertion: the columns that are sent, "a, b"; their arrays, "$2::uuid[], $3::text[]", when
// the first of them is $`first`; the columns that are inserted, and what into each.
std::string sent_columns(Columns columns);
std::string sent_arrays(int first, Columns columns);
std::string inserted_columns(Columns columns);
std::string inserted_values(Columns columns);
// Adds the arrays of `batch`.
void add_batch(Params& params, std::span<const Insertion> batch, Columns columns = Columns::all);

class SpecReader : public RowReader<TaskSpec> {
 public:
  explicit SpecReader(const PgResult& result);
};

// Never refuses a row: one that cannot be read whole comes with what can be read and with
// Task::unreadable, so that it hides no other row of a list.
class TaskReader {
 public:
  explicit TaskReader(const PgResult& result);
  Task operator()(int row) const;

 private:
  SpecReader spec_;
  RowReader<Task> rest_;
};

}  // namespace postern::db
