#include "core/base/url.h"

#include <gtest/gtest.h>

#include "tests/core/result_text.h"

namespace postern {
namespace {

using namespace std::string_literals;

TEST(ParseUrl, GivesTheCanonicalForm) {
  const std::pair<std::string, const char*> table[] = {
      {"http://example.com", "http://example.com/"},
      {"https://example.com/", "https://example.com/"},
      {"HTTPS://EXAMPLE.Com/Path?Q=a%20B", "https://example.com/Path?Q=a%20B"},
      {"http://example.com:80/a", "http://example.com/a"},
      {"https://example.com:443", "https://example.com/"},
      {"http://example.com:443", "http://example.com:443/"},
      {"https://example.com:80/", "https://example.com:80/"},
      {"http://example.com:08080/", "http://example.com:8080/"},
      {"http://example.com?x=1", "http://example.com/?x=1"},
      {"http://example.com/a#frag", "http://example.com/a"},
      {"http://example.com#frag", "http://example.com/"},
      {"http://example.com?a#b?c", "http://example.com/?a"},
      {"http://a_b-c.example.com/", "http://a_b-c.example.com/"},
      {"http://localhost:3000/hook", "http://localhost:3000/hook"},
      {"http://x.localhost/", "http://x.localhost/"},
      {"http://xn--bcher-kva.example/", "http://xn--bcher-kva.example/"},
      {"http://1.2.3.4.example/", "http://1.2.3.4.example/"},
      {"http://0x7f.example/", "http://0x7f.example/"},
      {"http://127.0.0.1:65535/", "http://127.0.0.1:65535/"},
      {"http://0.0.0.0/", "http://0.0.0.0/"},
      {"http://255.255.255.255/", "http://255.255.255.255/"},
      {"http://[::1]/", "http://[::1]/"},
      {"http://[::1]:80/", "http://[::1]/"},
      {"https://[FD00:EC2::254]:8443/x", "https://[fd00:ec2::254]:8443/x"},
      {"http://[2001:0db8:0:0::0001]/", "http://[2001:db8::1]/"},
      {"http://[::ffff:7f00:1]/", "http://[::ffff:127.0.0.1]/"},
      {"http://[::ffff:127.0.0.1]/", "http://[::ffff:127.0.0.1]/"},
      // '@' and '\', which mislead parsers that find the end of the host in another way
      {"http://example.com#@127.0.0.1/", "http://example.com/"},
      {"http://example.com?@127.0.0.1/", "http://example.com/?@127.0.0.1/"},
      {"http://example.com/@127.0.0.1/", "http://example.com/@127.0.0.1/"},
      {"http://example.com//a/../b", "http://example.com//a/../b"},
      {"http://" + std::string(63, 'a') + ".example/", nullptr},
      {"http://example.com/" + std::string(2029, 'a'), nullptr},
  };
  for (const auto& [text, canonical] : table) {
    const Result<Url> url = parse_url(text, "url");
    ASSERT_EQ(outcome(url), "ok") << text;
    EXPECT_EQ(url->canonical(), canonical == nullptr ? text : canonical);
    const Result<Url> again = parse_url(url->canonical(), "url");
    ASSERT_EQ(outcome(again), "ok") << "the canonical form of " << text;
    EXPECT_EQ(again->canonical(), url->canonical());
  }
}

TEST(ParseUrl, TellsTheParts) {
  const Url url = parse_url("HTTPS://Example.com:8443/a?b#c", "url").value();
  EXPECT_EQ(url.scheme, "https");
  EXPECT_EQ(url.host, "example.com");
  EXPECT_EQ(url.port, 8443);
  EXPECT_EQ(url.path, "/a?b");
  EXPECT_FALSE(url.is_ipv6_literal);
  EXPECT_EQ(url.authority(), "example.com:8443");
  EXPECT_EQ(url.origin(), "https://example.com:8443");

  const Url literal = parse_url("http://[2001:DB8::1]", "url").value();
  EXPECT_EQ(literal.host, "2001:db8::1");
  EXPECT_EQ(literal.port, 80);
  EXPECT_EQ(literal.path, "/");
  EXPECT_TRUE(literal.is_ipv6_literal);
  EXPECT_EQ(literal.authority(), "[2001:db8::1]");
  EXPECT_EQ(literal.origin(), "http://[2001:db8::1]");
  EXPECT_EQ(parse_url("https://example.com", "url")->authority(), "example.com");
}

TEST(ParseUrl, RefusesWhatIsNotAPlainHttpUrl) {
  for (const std::string& text : {
           ""s,
           "http"s,
           "http:"s,
           "http://"s,
           "http:///x"s,
           "http:/x"s,
           "http:x"s,
           "//example.com/"s,
           "example.com"s,
           "/path"s,
           "ftp://example.com/"s,
           "file:///etc/passwd"s,
           "gopher://example.com/"s,
           "unix:/run/app.sock"s,
           "javascript:alert(1)"s,
           "httpx://example.com/"s,
           "http ://example.com/"s,
           " http://example.com/"s,
           "http//example.com/"s,
           "http:://example.com/"s,
           "http://http://example.com/"s,
           // userinfo
           "http://user@example.com/"s,
           "http://user:pass@example.com/"s,
           "http://@example.com/"s,
           "http://example.com:80@127.0.0.1/"s,
           "http://example.com%40127.0.0.1/"s,
           // the port
           "http://example.com:/"s,
           "http://example.com:0/"s,
           "http://example.com:00/"s,
           "http://example.com:65536/"s,
           "http://example.com:100000/"s,
           "http://example.com:-1/"s,
           "http://example.com:8o/"s,
           "http://example.com:+80/"s,
           "http://example.com:80:80/"s,
           "http://:80/"s,
           // the host's characters and labels
           "http://exa mple.com/"s,
           "http://example..com/"s,
           "http://.example.com/"s,
           "http://example.com./"s,
           "http://LOCALHOST./"s,
           "http://127.0.0.1./"s,
           "http://./"s,
           "http://../"s,
           "http://exa%6dple.com/"s,
           "http://example.com%2f/"s,
           "http://a,b/"s,
           "http://a;b/"s,
           "http://a!b/"s,
           "http://a*/"s,
           "http://<a>/"s,
           "http://a&b/"s,
           "http://b\xc3\xbc"
           "cher.example/"s,
           "http://" + std::string(64, 'a') + ".example/",
           "http://" + std::string(50, 'a') + ("." + std::string(50, 'a')) +
               ("." + std::string(50, 'a')) + ("." + std::string(50, 'a')) +
               ("." + std::string(50, 'a')) + "/",
           // control bytes, spaces, backslashes
           "http://example.com/\r\nX: y"s,
           "http://example.com/a b"s,
           "http://example.com/\t"s,
           "http://example.com/\0"s,
           "http://example.com\0.evil/"s,
           "http://example.com/\x7f"s,
           "http://example.com\\@127.0.0.1/"s,
           "http:\\\\example.com\\"s,
           "http://example.com/\\"s,
           "http://example.com/\xc3\xa9"s,
           "http://example.com#\n"s,
           // percent escapes
           "http://example.com/%"s,
           "http://example.com/%4"s,
           "http://example.com/%4g"s,
           "http://example.com/%%41"s,
           "http://example.com/?%zz"s,
           // length, also of the canonical form
           "http://example.com/" + std::string(2030, 'a'),
           "http://example.com?" + std::string(2029, 'a'),
       }) {
    EXPECT_EQ(outcome(parse_url(text, "webhook_url")), "url_invalid webhook_url") << text;
  }
}

TEST(ParseUrl, RefusesOddSpellingsOfIpv4) {
  for (const char* host : {"127.1",
                           "127.0.1",
                           "0x7f.1",
                           "0x7f.0.0.1",
                           "0177.0.0.1",
                           "0177.1",
                           "2130706433",
                           "0x7f000001",
                           "0x",
                           "0X7F000001",
                           "017700000001",
                           "0",
                           "00",
                           "127.0.0.01",
                           "127.0.0.001",
                           "127.00.0.1",
                           "127.0.0.256",
                           "127.0.0.999",
                           "127.0.0.1000",
                           "256.0.0.1",
                           "1.2.3.4.5",
                           "1.2.3.0x4",
                           "127.0.0.0x1",
                           "a.1",
                           "example.0x7f",
                           "example.123",
                           "%31%32%37.0.0.1",
                           "127.0.0.1%00",
                           "127.0.0.1,example.com",
                           "\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1",  // full-width digits
                           "127\xe3\x80\x82"
                           "0\xe3\x80\x82"
                           "0\xe3\x80\x82"
                           "1",  // ideographic full stops
                           "\xe2\x91\xa0.0.0.1"}) {
    EXPECT_EQ(outcome(parse_url("http://"s + host + "/", "url")), "url_invalid url") << host;
  }
}

TEST(ParseUrl, RefusesOddSpellingsOfIpv6) {
  for (const char* host : {"[",
                           "]",
                           "[]",
                           "[::1",
                           "::1",
                           "[::1]]",
                           "[[::1]]",
                           "[::1]x",
                           "[::1]80",
                           "[fe80::1%25lo]",
                           "[fe80::1%lo]",
                           "[127.0.0.1]",
                           "[localhost]",
                           "[:::1]",
                           "[::1::]",
                           "[1:2:3:4:5:6:7:8:9]",
                           "[12345::]",
                           "[::127.1]",
                           "[::ffff:0177.0.0.1]",
                           "[::g]",
                           "[v1.a]",
                           "x[::1]",
                           "[ ::1]",
                           "[0000:0000:0000:0000:0000:0000:0000:0000:0001]"}) {
    EXPECT_EQ(outcome(parse_url("http://"s + host + "/", "url")), "url_invalid url") << host;
  }
}

// Every address literal is either refused or kept as a plain address, which the scheduler's address
// policy checks when it connects. None is taken for a name.
TEST(ParseUrl, NeverTakesAnAddressForAName) {
  const std::pair<const char*, bool> table[] = {
      {"127.0.0.1", true},       {"127.1", false},
      {"0x7f.1", false},         {"0177.0.0.1", false},
      {"2130706433", false},     {"0", false},
      {"0.0.0.0", true},         {"[::]", true},
      {"[::1]", true},           {"[::ffff:127.0.0.1]", true},
      {"[::127.0.0.1]", true},   {"[64:ff9b::a9fe:a9fe]", true},
      {"[2002:7f00:1::]", true}, {"[2001::]", true},
      {"[fe80::1%25lo]", false}, {"169.254.169.254", true},
      {"169.254.170.2", true},   {"100.100.100.200", true},
      {"100.64.0.1", true},      {"10.0.0.1", true},
      {"172.16.0.1", true},      {"192.168.0.1", true},
      {"192.0.0.1", true},       {"198.18.0.1", true},
      {"192.0.2.1", true},       {"224.0.0.1", true},
      {"240.0.0.1", true},       {"255.255.255.255", true},
      {"[fc00::1]", true},       {"[fd00:ec2::254]", true},
      {"[ff02::1]", true},       {"[2001:db8::1]", true},
      {"[3fff::1]", true},       {"LOCALHOST.", false},
  };
  for (const auto& [host, accepted] : table) {
    const Result<Url> url = parse_url("http://"s + host + "/", "url");
    EXPECT_EQ(url.has_value(), accepted) << host;
    if (url) {
      EXPECT_EQ(url->authority(), host);
    }
  }
}

}  // namespace
}  // namespace postern
