#include "core/wire/scheduler_gauges.h"

#include <boost/json.hpp>

#include "core/base/json_writer.h"

namespace postern {
namespace {

constexpr std::string_view kSlots = "slots", kInFlight = "in_flight", kParked = "parked",
                           kUnsettled = "unsettled", kEgressDenied = "egress_denied",
                           kEgressPorts = "egress_ports_allow", kLanes = "lanes", kLane = "lane",
                           kState = "state", kCell = "cell";

std::int64_t count(const boost::json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  const auto* number = value == nullptr ? nullptr : value->if_int64();
  return number == nullptr ? 0 : *number;
}

}  // namespace

std::string to_json(const SchedulerGauges& gauges) {
  JsonWriter json;
  json.begin_object();
  json.member(kSlots, gauges.slots);
  json.member(kInFlight, gauges.in_flight);
  json.member(kParked, gauges.parked);
  json.member(kUnsettled, gauges.unsettled);
  json.member(kEgressDenied, gauges.egress_denied);
  json.key(kEgressPorts).begin_array();
  for (const int port : gauges.egress_ports_allow) json.number(port);
  json.end_array();
  json.member(kCell, gauges.cell);
  json.key(kLanes).begin_array();
  for (const auto& [lane, state] : gauges.lanes) {
    json.begin_object().member(kLane, lane).member(kState, state).end_object();
  }
  json.end_array().end_object();
  return json.take();
}

SchedulerGauges scheduler_gauges_from(std::string_view json) {
  SchedulerGauges out;
  boost::system::error_code wrong;
  const auto value = boost::json::parse(json, wrong);
  if (wrong || !value.is_object()) return out;
  const auto& object = value.get_object();
  out.slots = count(object, kSlots);
  out.in_flight = count(object, kInFlight);
  out.parked = count(object, kParked);
  out.unsettled = count(object, kUnsettled);
  out.egress_denied = count(object, kEgressDenied);
  const auto* ports = object.if_contains(kEgressPorts);
  if (ports != nullptr && ports->is_array()) {
    for (const auto& each : ports->get_array()) {
      if (each.is_int64()) out.egress_ports_allow.push_back(static_cast<int>(each.get_int64()));
    }
  }
  const auto* cell = object.if_contains(kCell);
  if (cell != nullptr && cell->is_string()) out.cell = cell->get_string();
  const auto* lanes = object.if_contains(kLanes);
  if (lanes == nullptr || !lanes->is_array()) return out;
  for (const auto& each : lanes->get_array()) {
    const auto* lane = each.if_object();
    const auto* id = lane == nullptr ? nullptr : lane->if_contains(kLane);
    const auto* state = lane == nullptr ? nullptr : lane->if_contains(kState);
    if (id == nullptr || !id->is_int64() || state == nullptr || !state->is_string()) continue;
    out.lanes.push_back({id->get_int64(), std::string(state->get_string())});
  }
  return out;
}

}  // namespace postern
