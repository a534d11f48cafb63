// systemd's units.
#include <fmt/format.h>

#include <array>
#include <stdexcept>

#include "cli/setup/files.h"
#include "cli/setup/step.h"

namespace postern::admin::setup {
namespace {

constexpr std::array kUnits{"postern-fcgi.socket", "postern-scheduler@1.service"};
constexpr char kStart[] = "systemctl enable --now postern-fcgi.socket postern-scheduler@1.service";

bool runs(const char* unit) {
  return run_program({"systemctl", "--quiet", "is-active", unit}).code == 0 &&
         run_program({"systemctl", "--quiet", "is-enabled", unit}).code == 0;
}

}  // namespace

std::vector<Step> unit_steps(Plan& plan) {
  return {{"units",
           [&plan] {
             if (!exists(plan.path("/run/systemd/system"))) {
               return skipped(fmt::format("systemd does not run here; it would be: {}", kStart));
             }
             std::string resting;
             for (const char* unit : kUnits) {
               if (!runs(unit)) resting += fmt::format("{}{}", resting.empty() ? "" : ", ", unit);
             }
             return resting.empty() ? done("they run, and start with the host")
                                    : open("start now and with the host: " + resting);
           },
           [] {
             const auto ended = run_program({"systemctl", "enable", "--now", kUnits[0], kUnits[1]});
             if (ended.code != 0) {
               throw std::runtime_error(fmt::format("{} failed: {}", kStart, ended.said));
             }
             return std::string("started ") + kUnits[0] + " and " + kUnits[1];
           },
           "systemctl disable --now postern-fcgi.socket postern-fcgi.service "
           "postern-scheduler@1.service"}};
}

}  // namespace postern::admin::setup
