// What the commands about tasks have in common.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/command/options.h"
#include "cli/objects/client.h"
#include "cli/objects/fields.h"

namespace postern::admin {

// Which tasks are meant: the parameters of a list, and the filter of a change to many.
struct TaskChoice {
  std::optional<std::string> queue, status, reason, endpoint, tag, since, until;

  // `finished`: tasks that are over may be meant, which have a reason.
  void add_to(Command& command, const std::string& statuses, bool finished = true);
  bool any() const { return queue || status || reason || endpoint || tag || since || until; }
  std::vector<std::pair<std::string, std::string>> parameters() const;
};
// The option for a parameter of a list or a field of a filter.
std::string choice_flag(std::string_view field);

// A task as people read it: with its payload, its headers, and its attempts with their answers.
void print_task(std::string_view json, const Context& context);

// Waits until the task is over, and prints each change of its status. The exit code is kNotDone
// when it did not complete.
void watch_task(Client& client, const std::string& id, const Context& context);

// cancel, retry and delete.
void add_task_ends(Noun& task, Context& context, std::optional<std::string>& tenant);

}  // namespace postern::admin
