// What a receiver has sent on a connection since its last answer. Internal: only this folder
// includes it.
#pragma once

#include <curl/curl.h>

namespace postern::scheduler {

enum class Leftover {
  nothing,
  bytes,  // behind an answer that had ended: 204 with a body, or more than its Content-Length
  end,    // of the connection
};

// Looks at the connection that `easy` is about to send a request on, whose socket is `fd`; takes
// nothing from it, except TLS records that carry no data.
Leftover leftover(CURL* easy, int fd);

}  // namespace postern::scheduler
