// Times for people: in this machine's time zone.
#pragma once

#include <string>

#include "core/time/time.h"

namespace postern::admin {

enum class Shown { minutes, seconds };

// "2025-01-15 11:30:02 CET".
std::string local_time(Time time, Shown shown = Shown::seconds);

}  // namespace postern::admin
