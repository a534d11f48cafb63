#include "db/pg/hosts.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <mutex>
#include <numeric>

#include "db/pg/error.h"
#include "db/pg/login.h"

namespace postern::db {
namespace {

using Order = std::vector<std::size_t>;

std::mutex mutex;                       // guards the next
std::map<std::string, Order> orders{};  // by connection string: a program has one or two

// The parts of "a,b,,c"; none for an empty text.
std::vector<std::string> parts_of(const std::string& list) {
  std::vector<std::string> parts;
  if (list.empty()) return parts;
  std::size_t from = 0;
  for (;;) {
    const auto to = list.find(',', from);
    parts.push_back(list.substr(from, to - from));
    if (to == std::string::npos) return parts;
    from = to + 1;
  }
}

std::vector<std::string> values_of(const std::string& conninfo, const char* keyword,
                                   const char* variable) {
  auto value = conninfo_value(conninfo, keyword);
  const char* outside = std::getenv(variable);
  if (value.empty() && outside != nullptr) value = outside;
  return parts_of(value);
}

// Host number `n` of a list that has one for all, one for each, or none.
std::string at(const std::vector<std::string>& list, std::size_t n) {
  if (list.empty()) return "";
  return list.size() == 1 ? list[0] : list[n];
}

// libpq's message without the host, which is named before it, and without the advice behind it.
std::string brief(std::string why) {
  const std::string_view end = " failed: ";
  const auto found = why.find(end);
  if (why.starts_with("connection to server") && found != why.npos) {
    why.erase(0, found + end.size());
  }
  return why.substr(0, why.find(" Is the server running"));
}

void move_to(Order& order, std::size_t host, bool front) {
  std::erase(order, host);
  order.insert(front ? order.begin() : order.end(), host);
}

}  // namespace

std::vector<Host> hosts_of(const std::string& conninfo) try {
  const auto hosts = values_of(conninfo, "host", "PGHOST");
  const auto addresses = values_of(conninfo, "hostaddr", "PGHOSTADDR");
  const auto ports = values_of(conninfo, "port", "PGPORT");
  const auto count = std::max(hosts.size(), addresses.size());
  const auto fits = [&](const auto& list) { return list.empty() || list.size() == count; };
  if (count < 2 || !fits(hosts) || !fits(addresses) || !(fits(ports) || ports.size() == 1) ||
      conninfo_value(conninfo, "target_session_attrs") == "prefer-standby") {
    return {{conninfo, conninfo}};
  }
  std::vector<Host> out;
  for (std::size_t n = 0; n < count; ++n) {
    const auto host = at(hosts, n);
    const auto address = at(addresses, n);
    const auto port = at(ports, n);
    out.push_back(
        {(host.empty() ? address : host) + (port.empty() ? "" : ":" + port),
         conninfo_with(conninfo, {{"host", host}, {"hostaddr", address}, {"port", port}})});
  }
  return out;
} catch (const PgError&) {
  return {{conninfo, conninfo}};
}

HostWalk::HostWalk(const std::string& conninfo) : conninfo_(conninfo), hosts_(hosts_of(conninfo)) {
  order_.resize(hosts_.size());
  std::iota(order_.begin(), order_.end(), std::size_t{0});
  if (hosts_.size() == 1) return;
  const std::lock_guard lock(mutex);
  const auto known = orders.find(conninfo_);
  if (known != orders.end() && known->second.size() == order_.size()) order_ = known->second;
}

bool HostWalk::next(const std::string& why, bool silent) {
  if (hosts_.size() == 1) {
    error_ = why;
    return false;
  }
  if (error_.empty()) {
    error_ = "none of the " + std::to_string(hosts_.size()) + " hosts can be used: ";
  } else {
    error_ += "; ";
  }
  error_ += host().name + ": " + brief(why);
  if (silent) {
    const std::lock_guard lock(mutex);
    const auto order = orders.try_emplace(conninfo_, order_).first;
    move_to(order->second, order_[at_], false);
  }
  return ++at_ < order_.size();
}

void HostWalk::good() {
  if (hosts_.size() == 1) return;
  const std::lock_guard lock(mutex);
  const auto order = orders.try_emplace(conninfo_, order_).first;
  move_to(order->second, order_[at_], true);
}

}  // namespace postern::db
