// Parses the URLs that Postern calls, strictly. libcurl's parser accepts too much: it decodes
// %31%32%37.0.0.1, and allows http:/x and port 0.
#pragma once

#include <string>
#include <string_view>

#include "core/base/error.h"

namespace postern {

struct Url {
  std::string scheme;  // "http" or "https"
  std::string host;    // lower case; an IPv6 literal as RFC 5952 spells it, without its brackets
  int port = 0;        // 1..65535, the scheme's default filled in
  std::string path;    // path and query as given, at least "/"
  bool is_ipv6_literal = false;

  // The URL as it is stored and given to libcurl: without the scheme's default port and without a
  // fragment.
  std::string canonical() const;
  // "host", or "host:port" when the port is not the scheme's default; IPv6 in brackets. It is the
  // target of the task's lane.
  std::string authority() const;
  // The scheme and the authority: what a connection belongs to.
  std::string origin() const;
};

// Reads an absolute http or https URL of at most 2,048 bytes. Refused with reason "url_invalid" and
// `field`: other schemes, no host, userinfo, a host that is not a DNS name of letters, digits, '-'
// and '_' (no trailing dot, no percent, no empty label), a dotted-quad, or an IPv6 literal in
// brackets without a zone; any decimal, octal, hexadecimal or shortened spelling of an IPv4 address
// other than four decimal numbers without leading zeros; a port outside 1..65535; bytes outside
// printable ASCII, spaces and backslashes; a malformed percent escape.
Result<Url> parse_url(std::string_view text, std::string_view field);

}  // namespace postern
