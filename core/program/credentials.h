// Secrets as files that systemd hands to a unit (LoadCredential=), so that they stand neither in
// the settings nor in the environment.
#pragma once

#include <string>
#include <string_view>

namespace postern {

// The path of the credential `name` in $CREDENTIALS_DIRECTORY; empty when there is no such file.
// One that exists but cannot be read counts as there: whoever reads it says so.
std::string credential_file(std::string_view name);

}  // namespace postern
