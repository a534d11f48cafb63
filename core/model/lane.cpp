#include "core/model/lane.h"

#include "core/base/crypto.h"

namespace postern {

std::string lane_target(const TaskSpec& task) {
  if (!task.endpoint.empty()) return "endpoint:" + task.endpoint;
  // The canonical URL is scheme://authority/path, so the authority needs no parsing.
  const auto from = task.url.find("://") + 3;
  return task.url.substr(from, task.url.find('/', from) - from);
}

std::int64_t lane_id(std::string_view tenant, std::string_view queue, std::string_view target) {
  std::string text;
  text.append(tenant).push_back('\0');
  text.append(queue).push_back('\0');
  text.append(target);
  const auto hash = sha256(text);
  std::uint64_t id = 0;
  for (int i = 0; i < 8; ++i) id = id << 8 | hash[static_cast<std::size_t>(i)];
  return static_cast<std::int64_t>(id);
}

}  // namespace postern
