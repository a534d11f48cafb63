// Passwords of the roles, for a PostgreSQL on another host, and the drop-ins that hand them to the
// units.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/setup/step.h"

namespace postern::admin::setup {

// What PostgreSQL stores of a password, so that it never sees the password itself (RFC 5803).
std::string scram_verifier(std::string_view password, std::string_view salt);

// The password of a role in the folder of credentials; empty: there is none.
std::string stored_password(const Plan& plan, const std::string& role);

// Each must be outlived by `plan`.
Step passwords(Plan& plan);
Step drop_ins(Plan& plan);

// What has running programs read their credentials anew.
inline constexpr char kRestart[] = "systemctl try-restart postern-fcgi 'postern-scheduler@*'";

}  // namespace postern::admin::setup
