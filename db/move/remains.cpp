#include "db/move/remains.h"

#include <chrono>
#include <thread>

namespace postern::db {
namespace {

constexpr int kDeletedAtOnce = 2'000;

constexpr Statement kDelete{"move_delete", "SELECT postern.move_delete($1, $2)"};
constexpr Statement kLeave{"move_leave", "SELECT postern.move_leave($1, $2)"};

}  // namespace

std::int64_t delete_remains(PgConnection& connection, const std::string& tenant,
                            const std::function<void(std::int64_t)>& told) {
  std::int64_t rows = 0;
  while (true) {
    const auto begun = std::chrono::steady_clock::now();
    const auto gone =
        connection.exec(kDelete, Params().text(tenant).int4(kDeletedAtOnce)).integer(0, 0);
    if (gone == 0) return rows;
    rows += gone;
    told(rows);
    std::this_thread::sleep_for((std::chrono::steady_clock::now() - begun) / 2);
  }
}

void leave_target(PgConnection& target, const std::string& tenant, const Uuid& id) {
  target.exec(kLeave, Params().text(tenant).uuid(id));
}

}  // namespace postern::db
