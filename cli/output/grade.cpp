#include "cli/output/grade.h"

namespace postern::admin {

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
