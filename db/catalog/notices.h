// What a notification on the channel postern_ready says, besides the ids of lanes that may have
// ready tasks. Empty: look for work yourself.
#pragma once

namespace postern::db {

// A pause was ended, or a limit was changed: look for work, and ask again for what was held back.
inline constexpr char kLimitsChanged[] = "limits";

}  // namespace postern::db
