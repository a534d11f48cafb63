#include "cli/output/grade.h"

#include <algorithm>

namespace postern::admin {

Grade worse(Grade one, Grade other) {
  if (one == Grade::critical || other == Grade::critical) return Grade::critical;
  return std::max(one, other);
}

const char* word(Grade grade) {
  switch (grade) {
    case Grade::ok: return "OK";
    case Grade::warning: return "WARNING";
    case Grade::critical: return "CRITICAL";
    case Grade::unknown: return "UNKNOWN";
  }
  return "";
}

}  // namespace postern::admin
