// The beginning of a FastCGI request, looked at before libfcgi reads it: libfcgi ends the process
// when a record says that more is to come than there is memory for, up to 4 GiB.
#pragma once

#include <cstddef>
#include <string_view>

namespace postern {

// Of the parameters of one request together; nginx holds their headers to 32 KiB by default.
constexpr std::size_t kMaxParams = 128 * 1024;
// So many bytes hold any head that is fit, whatever the records that it comes in.
constexpr std::size_t kMaxHead = 2 * kMaxParams;

enum class Head { fit, incomplete, unfit };

// `fit`: `bytes` begin with a record that begins a request and with its parameters, to their end
// and as long as they say. `incomplete`: more bytes may make it so. `unfit`: anything else, such as
// an abort, or a question about the server, which libfcgi would read likewise.
Head look_at_head(std::string_view bytes);

// The same for what comes from a socket, where it is left to be read. nginx sends all of it at
// once; whoever sends it in pieces is waited for, 10 s at most. False: it is unfit, or has not
// come.
bool has_fit_head(int socket);

}  // namespace postern
