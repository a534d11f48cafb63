// Valid and invalid URLs, for the tests of both parsers: core/base/url.h and the SQL door
// (postern.enqueue).
#pragma once

namespace postern::test {

// Both parsers accept these.
constexpr const char* kGoodUrls[] = {
    "http://a.test",
    "https://a.test/",
    "http://a.test:8080/p?q=1#f",
    "http://A.Test/%7Euser",
    "http://127.0.0.1:9000/",
    "http://[::1]/x",
    "http://[2001:db8::1]:443/x",
    "https://a_b.test/?x",
    "http://xn--bcher-kva.test/",
    "http://a.test/p;v=1?a=b&c=%20",
};

// Both refuse these.
constexpr const char* kBadUrls[] = {
    "",
    "a.test",
    "//a.test/",
    "ftp://a.test/",
    "file:///etc/passwd",
    "gopher://a.test/",
    "http:a.test",
    "http:/a.test",
    "http://",
    "http:///x",
    "http://user@a.test/",
    "http://u:p@a.test/",
    "http://a.test/a b",
    "http://a.test/\n",
    "http://a.test\r\nX: y/",
    "http://a.test\\evil/",
    "http://a.test/\\evil",
    "http://a.test:0/",
    "http://a.test:65536/",
    "http://a.test:99999/",
    "http://a.test:8x/",
    "http://a..test/",
    "http://a.test./",
    "http://127.1/",
    "http://0x7f.1/",
    "http://2130706433/",
    "http://0177.0.0.1/",
    "http://256.0.0.1/",
    "http://%31%32%37.0.0.1/",
    "http://[fe80::1%25lo]/",
    "http://[::1/",
    "http://[zz]/",
    "http://a.test/%zz",
    "http://\xc3\xa4.test/",
    "http://a.test/\xc3\xa4",
    "HTTP//a.test/",
    "javascript:alert(1)",
};

}  // namespace postern::test
