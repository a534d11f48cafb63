// The request headers that a task may carry to its receiver. libcurl sends headers unchecked, CR
// and LF included, so every byte is checked here, at creation and again before the send.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/text.h"

namespace postern {

struct Header {
  std::string name;
  std::string value;
  bool operator==(const Header&) const = default;
};
using Headers = std::vector<Header>;

// Checks all of `headers`: at most 50 of them and 8 KiB together, names are RFC 9110 tokens of at
// most 256 bytes, values hold no control byte but HTAB, at most 4,096 bytes each, no name twice (in
// any case), none of the names that belong to the connection or to Postern (host, content-length,
// transfer-encoding, connection, te, upgrade, expect, trailer, keep-alive, proxy-*, http2-settings,
// webhook-*, postern-*, aj-*, x-asyncqueue-*), with any character that is no letter or digit in
// place of "-": to a receiver behind CGI they are one name. Reasons: "headers_too_many",
// "header_name_invalid", "header_value_invalid", "header_reserved", "header_repeated"; the field is
// `field` + "." + the name.
Result<void> check_headers(const Headers& headers, std::string_view field);

// Answer headers with one of each name: the values of a repeated one, in their order, separated by
// ", " (RFC 9110, 5.3), and those of Set-Cookie, whose values have commas, by a line feed. Names
// are compared as they are.
Headers joined(const Headers& headers);

}  // namespace postern
