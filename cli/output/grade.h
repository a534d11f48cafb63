// How bad it is: the verdicts of the commands that a monitor asks. Their numbers are the exit codes
// of a Nagios plugin.
#pragma once

namespace postern::admin {

enum class Grade { ok, warning, critical, unknown };

// What is told of two. Not the greater number: whoever cannot tell all may know that something is
// wrong.
Grade worse(Grade one, Grade other);

// "OK", "WARNING", "CRITICAL", "UNKNOWN".
const char* word(Grade grade);

}  // namespace postern::admin
