#include "db/health/check.h"

namespace postern::db::health {

const char* word(Grade grade) {
  switch (grade) {
    case Grade::ok: return "ok";
    case Grade::warning: return "warning";
    case Grade::wrong: return "wrong";
    case Grade::skipped: return "skipped";
  }
  return "";
}

const std::vector<SchedulerNumbers>& Patient::schedulers() {
  if (!schedulers_) schedulers_ = db::schedulers(connection);
  return *schedulers_;
}

std::int64_t Patient::number(const char* sql) const {
  return connection.exec({"", sql}).integer_or_null(0, 0).value_or(0);
}

std::string Patient::text(const char* sql, const Params& params) const {
  return std::string(connection.exec({"", sql}, params).text(0, 0));
}

}  // namespace postern::db::health
