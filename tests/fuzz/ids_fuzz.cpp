#include "core/model/ids.h"
#include "tests/fuzz/fuzz.h"

using namespace postern;
using fuzz::require;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto id = parse_task_id(fuzz::text_of(data, size));
  if (!id) return 0;
  require(parse_task_id(to_uuid(*id)) == id, "a UUID is the id");
  require(parse_task_id(to_typeid(*id)) == id, "so is a TypeID");
  require(parse_task_id(to_ksuid(*id)) == id, "and a KSUID");
  (void)made_at(*id);
  return 0;
}
