// How each dialect writes what is POSTed for its tasks, and reads what is answered: a row each,
// whose functions stand in the dialect's own file of this folder.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "core/base/headers.h"
#include "core/model/task.h"

namespace postern {

// One attempt at a task, as its webhook tells it. It only refers to what it shows.
struct WebhookCall {
  const TaskSpec& spec;
  int attempt;
  int attempt_base;
  Time created_at;
  Time claimed_at;
  std::span<const DependencyResult> results;
  std::span<const std::string> secrets;  // the current one first
};

struct WebhookForm {
  std::string (*body)(const WebhookCall& call);
  // The headers beyond those that every webhook carries; absent: none.
  Headers (*headers)(const WebhookCall& call, Time now, std::string_view body) = nullptr;
  // Of every body; empty: a payload is JSON, and a raw body has the type it was given.
  std::string_view content_type = {};
  // What the attempt at a task whose endpoint is not there is told to have failed of, before the
  // endpoint's name.
  std::string_view no_endpoint = "no endpoint named ";
  // Headers of an answer, in lower case, by which the receiver tells a failure, or the end without
  // another attempt, whatever the status; empty: there is none.
  std::string_view error_header = {};
  std::string_view terminate_header = {};
  // The body of the callback that tells how a task ended.
  std::string (*callback_body)(const Task& task);
  // A callback is told once and for at most ten seconds, whatever comes of it.
  bool callback_is_one_try = false;
};

const WebhookForm& webhook_form(Dialect dialect);

}  // namespace postern
