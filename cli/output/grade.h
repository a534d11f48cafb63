// How bad it is: the verdicts of the commands that a monitor asks. Their numbers are the exit codes
// of a Nagios plugin.
#pragma once

namespace postern::admin {

enum class Grade { ok, warning, critical, unknown };

// "OK", "WARNING", "CRITICAL", "UNKNOWN".
const char* word(Grade grade);

}  // namespace postern::admin
