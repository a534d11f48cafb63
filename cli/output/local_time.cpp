#include "cli/output/local_time.h"

#include <array>
#include <ctime>

namespace postern::admin {

std::string local_time(Time time, Shown shown) {
  const std::time_t seconds = std::chrono::floor<Seconds>(time).time_since_epoch().count();
  std::tm parts{};
  localtime_r(&seconds, &parts);
  std::array<char, 64> text{};
  const char* format = shown == Shown::seconds ? "%Y-%m-%d %H:%M:%S %Z" : "%Y-%m-%d %H:%M %Z";
  return {text.data(), std::strftime(text.data(), text.size(), format, &parts)};
}

}  // namespace postern::admin
