#include "db/engine/retention.h"

namespace postern::db {

const Statement kMakePartitions{
    "make_partitions",
    "SELECT postern.make_partitions('short', 3) + postern.make_partitions('standard', 3)"};

const Statement kDropPartition{
    "drop_partition", "SELECT postern.drop_partition($1, now() - $2 * interval '1 second')"};

Params drop_partition_params(std::string_view retention_class, Seconds keep) {
  Params params;
  params.text(retention_class).int8(keep.count());
  return params;
}

}  // namespace postern::db
