// What can be done with endpoints over HTTP. Every rule is in here, dialects parse into
// these types and render from them, database faults are thrown.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/uuid.h"
#include "core/model/creation.h"
#include "core/model/endpoint.h"
#include "fcgi/api/pools.h"

namespace postern {

struct Caller;
class Quotas;

// A new secret, which is told only here.
struct NewSecret {
  std::string secret;
  Endpoint endpoint;
};

// Thread-safe. `name`, everywhere but in create, is as it stands in a path; unknown ones, and what
// can be no name, are `endpoint_not_found`.
class EndpointsApi {
 public:
  // `quotas` must outlive it.
  EndpointsApi(const Pools& pools, const Uuid& instance, Quotas& quotas)
      : pool_(pools.rest), reads_(pools.reads), instance_(instance), quotas_(quotas) {}

  // Errors: "url_required", those of check_endpoint, "endpoint_already_exists" (duplicate),
  // "quota_exceeded".
  Result<Endpoint> create(const Caller& caller, std::string_view name,
                          const EndpointSettings& settings);
  struct Put {
    Endpoint endpoint;
    bool made;
  };
  // Makes it, or replaces all but its pause, when nothing is said of that, and its secret.
  Result<Put> put(const Caller& caller, std::string_view name, const EndpointSettings& settings);
  Result<Endpoint> change(const Caller& caller, std::string_view name,
                          const EndpointSettings& settings);
  // Tasks that name it fail their attempts, or go where the next shorter name says.
  Result<void> remove(const Caller& caller, std::string_view name);

  Result<Endpoint> get(const Caller& caller, std::string_view name);
  HealthReport health(const Caller& caller, const Endpoint& endpoint);
  struct Page {
    std::vector<Endpoint> endpoints;
    bool has_more = false;
  };
  Page list(const Caller& caller, const std::optional<std::string>& after, int limit);

  // `secret`: what it shall be; nullopt: a new one is made. The old one signs too for a day.
  // "rotation_overlaps" (conflict) while an earlier one does so, unless `force`.
  Result<NewSecret> rotate(const Caller& caller, std::string_view name,
                           const std::optional<std::string>& secret, bool force);

  // The task that tests it, for CreationApi::create: one attempt, at once. "endpoint_paused"
  // (conflict): it would wait. "endpoint_shadowed" (conflict): no task can be made for the
  // catch-all, because another name takes them all.
  Result<Creation> test(const Caller& caller, std::string_view name, Creation wanted);

  struct Recovered {
    std::int64_t count;
    bool more;  // ask again for the rest
  };
  // Retries its failed tasks that ended within [since, until), the oldest 5,000. "since_required",
  // "until_before_since". With `dry_run` they are only counted.
  Result<Recovered> recover(const Caller& caller, std::string_view name, std::optional<Time> since,
                            std::optional<Time> until, bool dry_run);

 private:
  db::Pool& pool_;
  db::Pool& reads_;
  const Uuid instance_;
  Quotas& quotas_;
};

}  // namespace postern
