// The ports that webhooks may not go to: behind them is something that a request can harm, or that
// obeys whoever reaches it.
#pragma once

#include <string_view>

namespace postern {

// What usually listens on the port, as "ssh" or "PostgreSQL"; empty: webhooks may go to it. None is
// above 32,767, where systems choose ports at random.
std::string_view closed_port(int port);

}  // namespace postern
