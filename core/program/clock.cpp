#include "core/program/clock.h"

#include <chrono>

namespace postern {

Time wall_clock() { return std::chrono::floor<Microseconds>(std::chrono::system_clock::now()); }

}  // namespace postern
