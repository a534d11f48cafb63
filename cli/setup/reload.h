// Has nginx read its configuration anew.
#pragma once

#include <string>
#include <vector>

#include "cli/setup/step.h"

namespace postern::admin::setup {

// Reloads the nginx of plan.nginx_dir, and waits until it works by the new configuration: what is
// asked before that may still be answered by the old one. Returns what came of it, as a sentence:
// that nginx is reloaded only when that was seen. Throws std::runtime_error when nginx goes on with
// the old one.
std::string reload_nginx(const Plan& plan);

// The first of `files`, which may be links, that was changed or made since the nginx of
// plan.nginx_dir has read its configuration. Empty: there is none, or that cannot be seen.
std::string works_without(const Plan& plan, const std::vector<std::string>& files);

// The command `nginx -c ... MORE`.
std::vector<std::string> nginx_command(const Plan& plan, std::vector<std::string> more);

}  // namespace postern::admin::setup
