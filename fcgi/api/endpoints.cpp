#include "fcgi/api/endpoints.h"

#include <algorithm>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "core/program/log.h"
#include "core/security/signing.h"
#include "db/catalog/endpoints.h"
#include "db/catalog/queue_defaults.h"
#include "fcgi/api/quotas.h"
#include "fcgi/api/step_size.h"
#include "fcgi/auth/caller.h"
#include "fcgi/server/db_access.h"

namespace postern {
namespace {

constexpr Seconds kOverlap{86'400};
// What one call recovers, and what one transaction of it does: at 1 ms for each, on two busy cores.
constexpr int kRecovered = 5'000;
constexpr int kRecoveredAtOnce = 200;
// While a step that was cut off is tried again with less.
constexpr std::chrono::seconds kRecoverFor{15};
// What a task names that goes to the catch-all.
constexpr char kCatchAllTest[] = "_test";
constexpr int kTestPriority = 100;

Error no_such_endpoint(std::string_view name) {
  return not_found("endpoint_not_found",
                   fmt::format("There is no endpoint \"{}\".", log_safe(name)));
}

Error no_such_tenant(const Caller& caller) {
  return not_found("tenant_not_found", fmt::format("There is no tenant \"{}\".", caller.tenant));
}

Error url_required() { return invalid("url_required", "url", "url is required."); }

// What cannot be a name is not there.
Result<std::string> known_name(std::string_view name) {
  auto known = endpoint_name(name, "name");
  if (!known) return no_such_endpoint(name);
  return known;
}

}  // namespace

Result<Endpoint> EndpointsApi::create(const Caller& caller, std::string_view name,
                                      const EndpointSettings& settings) {
  const auto known = endpoint_name(name, "name");
  if (!known) return known.error();
  if (!settings.url) return url_required();
  if (const auto ok = check_endpoint(settings); !ok) return ok.error();
  if (const auto ok = quotas_.check(db::Quota::endpoints, caller.tenant, *known, "name"); !ok) {
    return ok.error();
  }
  const auto made = write_to(pool_, [&](auto& connection) {
    return db::make_endpoint(connection, caller.tenant, *known, settings);
  });
  if (!made) return made.error();
  switch (*made) {
    case db::EndpointMade::yes: break;
    case db::EndpointMade::name_taken:
      return Error{Errc::duplicate, "endpoint_already_exists", "name",
                   fmt::format("There is an endpoint \"{}\" already.", *known)};
    case db::EndpointMade::no_tenant: return no_such_tenant(caller);
  }
  return get(caller, name);
}

Result<EndpointsApi::Put> EndpointsApi::put(const Caller& caller, std::string_view name,
                                            const EndpointSettings& settings) {
  const auto known = endpoint_name(name, "name");
  if (!known) return known.error();
  if (!settings.url) return url_required();
  if (const auto ok = check_endpoint(settings); !ok) return ok.error();
  if (const auto ok = quotas_.check(db::Quota::endpoints, caller.tenant, *known, "name"); !ok) {
    return ok.error();
  }
  const auto made = write_to(pool_, [&](auto& connection) {
    return db::put_endpoint(connection, caller.tenant, *known, settings);
  });
  if (!made) return made.error();
  if (!*made) return no_such_tenant(caller);
  auto endpoint = get(caller, name);
  if (!endpoint) return endpoint.error();
  return Put{std::move(*endpoint), **made};
}

Result<Endpoint> EndpointsApi::change(const Caller& caller, std::string_view name,
                                      const EndpointSettings& settings) {
  const auto known = known_name(name);
  if (!known) return known.error();
  if (const auto ok = check_endpoint(settings); !ok) return ok.error();
  const auto there = write_to(pool_, [&](auto& connection) {
    return db::change_endpoint(connection, caller.tenant, *known, settings);
  });
  if (!there) return there.error();
  if (!*there) return no_such_endpoint(name);
  return get(caller, name);
}

Result<void> EndpointsApi::remove(const Caller& caller, std::string_view name) {
  const auto known = known_name(name);
  if (!known) return known.error();
  const auto there = write_to(pool_, [&](auto& connection) {
    return db::delete_endpoint(connection, caller.tenant, *known);
  });
  if (!there) return there.error();
  if (!*there) return no_such_endpoint(name);
  return {};
}

Result<Endpoint> EndpointsApi::get(const Caller& caller, std::string_view name) {
  const auto known = known_name(name);
  if (!known) return known.error();
  auto endpoint = read_from(
      pool_, [&](auto& connection) { return db::get_endpoint(connection, caller.tenant, *known); });
  if (!endpoint) return no_such_endpoint(name);
  return *std::move(endpoint);
}

HealthReport EndpointsApi::health(const Caller& caller, const Endpoint& endpoint) {
  const auto seen = read_from(reads_, [&](auto& connection) {
    return db::endpoint_health(connection, caller.tenant, endpoint.name, kHealthWindow);
  });
  HealthReport report = health_report(seen.attempts, seen.failed, seen.durations, seen.breaker);
  report.in_flight = seen.in_flight;
  return report;
}

EndpointsApi::Page EndpointsApi::list(const Caller& caller, const std::optional<std::string>& after,
                                      int limit) {
  Page page;
  page.endpoints = read_from(reads_, [&](auto& connection) {
    return db::list_endpoints(connection, caller.tenant, after, limit + 1);
  });
  page.has_more = page.endpoints.size() > static_cast<std::size_t>(limit);
  if (page.has_more) page.endpoints.pop_back();
  return page;
}

Result<NewSecret> EndpointsApi::rotate(const Caller& caller, std::string_view name,
                                       const std::optional<std::string>& secret, bool force) {
  const auto known = known_name(name);
  if (!known) return known.error();
  if (secret) {
    if (const auto ok = check_endpoint_secret(*secret); !ok) return ok.error();
  }
  const std::string fresh = secret ? *secret : make_webhook_secret();
  const auto rotated = write_to(pool_, [&](auto& connection) {
    return db::rotate_endpoint_secret(connection, caller.tenant, *known, fresh, kOverlap, force);
  });
  if (!rotated) return rotated.error();
  auto endpoint = get(caller, name);
  if (!endpoint) return endpoint.error();
  if (!*rotated) {
    return conflict("rotation_overlaps",
                    "The secret before still signs, for receivers that do not know this one yet. A "
                    "rotation now would drop it; force=true does so.");
  }
  return NewSecret{fresh, std::move(*endpoint)};
}

Result<Creation> EndpointsApi::test(const Caller& caller, std::string_view name, Creation wanted) {
  const auto endpoint = get(caller, name);
  if (!endpoint) return endpoint.error();
  if (endpoint->paused) {
    return conflict("endpoint_paused", "The endpoint is paused, so that a test would wait.");
  }
  wanted.endpoint = endpoint->name;
  if (endpoint->name.empty()) {
    wanted.endpoint = kCatchAllTest;
    const auto resolved = read_from(pool_, [&](auto& connection) {
      return db::resolve_endpoint(connection, caller.tenant, wanted.endpoint);
    });
    if (resolved != "") {
      return conflict(
          "endpoint_shadowed",
          fmt::format("The test names \"{}\", which another endpoint takes.", wanted.endpoint));
    }
  }
  wanted.priority = kTestPriority;
  wanted.max_retries = 0;
  return wanted;
}

Result<EndpointsApi::Recovered> EndpointsApi::recover(const Caller& caller, std::string_view name,
                                                      std::optional<Time> since,
                                                      std::optional<Time> until, bool dry_run) {
  const auto endpoint = get(caller, name);
  if (!endpoint) return endpoint.error();
  if (!since) {
    return invalid("since_required", "since", "since is required, as 2025-01-15T10:30:00Z.");
  }
  if (until && *until <= *since) {
    return invalid("until_before_since", "until", "until must be later than since.");
  }
  const auto tasks = read_from(reads_, [&](auto& connection) {
    return db::failed_tasks_of(connection, caller.tenant, endpoint->name, *since, until,
                               kRecovered);
  });
  // Many small transactions, so that others get to the rows and connections in between.
  Recovered done{0, tasks.size() == static_cast<std::size_t>(kRecovered)};
  if (dry_run) {
    done.count = static_cast<std::int64_t>(tasks.size());
    return done;
  }
  StepSize size(kRecoveredAtOnce);
  const auto give_up = StepSize::Clock::now() + kRecoverFor;
  for (auto rest = std::span(tasks); !rest.empty();) {
    std::span<const TaskId> step;
    const auto retried = size.run(give_up, [&](int most) {
      step = rest.first(std::min(rest.size(), static_cast<std::size_t>(most)));
      return write_to(pool_, [&](auto& connection) {
        return db::retry_failed(connection, caller.tenant, step, instance_);
      });
    });
    if (!retried) return retried.error();
    rest = rest.subspan(step.size());
    done.count += *retried;
  }
  return done;
}

}  // namespace postern
