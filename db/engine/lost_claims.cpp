#include "db/engine/lost_claims.h"

namespace postern::db {

// Reads the attempts under way by their index, as the rescue does.
const Statement kLostClaims{"lost_claims", R"sql(
  SELECT task, lease FROM postern.lease
   WHERE NOT deferred AND instance = $1 AND lease = ANY($2) LIMIT 500)sql"};

Params lost_claims_params(const Uuid& instance, std::span<const Uuid> leases) {
  Array ids(Oid::uuid);
  for (const auto& lease : leases) ids.uuid(lease);
  Params params;
  params.uuid(instance).array(ids);
  return params;
}

std::vector<LostClaim> lost_claims_from(const PgResult& result) {
  std::vector<LostClaim> out;
  for (int i = 0; i < result.rows(); ++i) out.push_back({result.uuid(i, 0), result.uuid(i, 1)});
  return out;
}

}  // namespace postern::db
