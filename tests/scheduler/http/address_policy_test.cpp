#include "scheduler/http/address_policy.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <string>
#include <vector>

namespace postern::scheduler {
namespace {

bool allows_sockaddr(const AddressPolicy& policy, const std::string& address, int port) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(static_cast<std::uint16_t>(port));
  if (inet_pton(AF_INET, address.c_str(), &in.sin_addr) == 1) {
    return policy.allows(reinterpret_cast<const sockaddr&>(in));
  }
  sockaddr_in6 in6{};
  in6.sin6_family = AF_INET6;
  in6.sin6_port = htons(static_cast<std::uint16_t>(port));
  EXPECT_EQ(inet_pton(AF_INET6, address.c_str(), &in6.sin6_addr), 1) << address;
  return policy.allows(reinterpret_cast<const sockaddr&>(in6));
}

bool allows(const AddressPolicy& policy, const std::string& address, int port = 8080) {
  const bool by_sockaddr = allows_sockaddr(policy, address, port);
  EXPECT_EQ(policy.allows(address, port), by_sockaddr) << address << " as text";
  return by_sockaddr;
}

AddressPolicy allowing(const std::vector<std::string>& cidrs) {
  return AddressPolicy::make(cidrs).value();
}

TEST(AddressPolicy, DeniesWhatIsNotGlobalUnicast) {
  const char* denied[] = {
      // This network, private, CGNAT, loopback, link-local, from first to last.
      "0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.100.100.200",
      "100.127.255.255", "127.0.0.0", "127.0.0.1", "127.255.255.255", "169.254.0.0",
      "169.254.169.254", "169.254.170.2", "169.254.255.255", "172.16.0.0", "172.31.255.255",
      "192.168.0.0", "192.168.255.255",
      // Protocol assignments, documentation, relays, benchmarks, multicast, reserved, metadata.
      "192.0.0.0", "192.0.0.192", "192.0.0.255", "192.0.2.0", "192.0.2.255", "192.88.99.0",
      "192.88.99.255", "198.18.0.0", "198.19.255.255", "198.51.100.0", "198.51.100.255",
      "203.0.113.0", "203.0.113.255", "224.0.0.0", "239.255.255.255", "240.0.0.0",
      "255.255.255.254", "255.255.255.255", "168.63.129.16",
      // IPv6: unspecified, loopback, everything around 2000::/3.
      "::", "::1", "1::", "100::", "100::1", "1fff:ffff::", "4000::", "5f00::1",
      "fc00::", "fd00:ec2::254", "fd20:ce::254", "fdff::1", "fe80::1", "febf::1", "fec0::1",
      "ff02::1", "ff0e::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
      // Special blocks inside 2000::/3: Teredo, ORCHID, documentation.
      "2001::", "2001:0:5ef5:79fb::1", "2001:2::1", "2001:10::1", "2001:20::1", "2001:1ff:ffff::1",
      "2001:db8::", "2001:db8:ffff::1", "3fff::", "3fff:fff::1",
      // IPv4 in IPv6: mapped, compatible, NAT64, 6to4; the local NAT64 prefix.
      "::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:10.1.2.3", "::ffff:169.254.169.254",
      "::127.0.0.1", "::10.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe",
      "64:ff9b::192.168.0.1", "64:ff9b:1::8.8.8.8", "64:ff9b::1:8.8.8.8",
      "2002:7f00:1::", "2002:a9fe:a9fe::1", "2002:c0a8:1::1", "2002:0a00:0001::1"};
  const AddressPolicy policy = allowing({});
  for (const char* address : denied) EXPECT_FALSE(allows(policy, address)) << address;
}

TEST(AddressPolicy, AllowsGlobalUnicast) {
  const char* allowed[] = {"1.0.0.0",
                           "8.8.8.8",
                           "9.255.255.255",
                           "11.0.0.0",
                           "100.63.255.255",
                           "100.128.0.0",
                           "126.255.255.255",
                           "128.0.0.0",
                           "169.253.255.255",
                           "169.255.0.0",
                           "172.15.255.255",
                           "172.32.0.0",
                           "191.255.255.255",
                           "192.0.1.0",
                           "192.0.3.0",
                           "192.88.98.255",
                           "192.88.100.0",
                           "192.167.255.255",
                           "192.169.0.0",
                           "198.17.255.255",
                           "198.20.0.0",
                           "198.51.99.255",
                           "198.51.101.0",
                           "203.0.112.255",
                           "203.0.114.0",
                           "168.63.129.15",
                           "168.63.129.17",
                           "223.255.255.255",
                           "2000::1",
                           "2001:200::1",
                           "2001:4860:4860::8888",
                           "2001:db7::1",
                           "2001:db9::1",
                           "2003::1",
                           "2606:4700::1111",
                           "3ffe:ffff::1",
                           "3fff:1000::1",
                           "::ffff:8.8.8.8",
                           "64:ff9b::8.8.8.8",
                           "2002:808:808::1"};
  const AddressPolicy policy = allowing({});
  for (const char* address : allowed) EXPECT_TRUE(allows(policy, address)) << address;
}

TEST(AddressPolicy, AllowsWhatTheOperatorAllows) {
  struct Case {
    std::vector<std::string> allow;
    const char* address;
    bool allowed;
  };
  const Case cases[] = {
      {{"127.0.0.0/8"}, "127.0.0.1", true},
      {{"127.0.0.0/8"}, "::ffff:127.0.0.1", true},
      {{"127.0.0.0/8"}, "64:ff9b::127.0.0.1", true},
      {{"127.0.0.0/8"}, "128.0.0.1", true},
      {{"127.0.0.0/8"}, "::1", false},
      {{"127.0.0.0/8"}, "10.0.0.1", false},
      {{"::1/128"}, "::1", true},
      {{"::1/128"}, "127.0.0.1", false},
      {{"10.1.0.0/16"}, "10.1.255.255", true},
      {{"10.1.0.0/16"}, "10.2.0.0", false},
      {{"10.1.0.0/16"}, "10.0.255.255", false},
      {{"192.168.1.128/25"}, "192.168.1.127", false},
      {{"192.168.1.128/25"}, "192.168.1.128", true},
      {{"192.168.1.7/32"}, "192.168.1.6", false},
      {{"192.168.1.7/32"}, "192.168.1.7", true},
      {{"fd12::/16"}, "fd12:3456::1", true},
      {{"fd12::/16"}, "fd13::1", false},
      {{"10.0.0.0/8", "fd12::/16"}, "10.9.9.9", true},
      {{"10.0.0.0/8", "fd12::/16"}, "fd12::9", true},
      {{"0.0.0.0/0"}, "192.168.0.1", true},
      {{"0.0.0.0/0"}, "fd12::1", false},
      {{"::/0"}, "fd12::1", true},
      {{"::/0"}, "192.168.0.1", false},  // all of IPv6 does not include IPv4
      {{"::/0"}, "::ffff:192.168.0.1", false},
      {{"::ffff:10.0.0.0/104"}, "10.1.1.1", true},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(allows(allowing(c.allow), c.address), c.allowed) << c.allow[0] << " " << c.address;
  }
}

TEST(AddressPolicy, NeverAllowsMetadata) {
  const AddressPolicy policy =
      allowing({"0.0.0.0/0", "::/0", "169.254.0.0/16", "169.254.169.254/32", "fe80::/10",
                "fd00:ec2::254/128", "64:ff9b::/96", "2002::/16", "100.64.0.0/10"});
  for (const char* address :
       {"169.254.0.0", "169.254.169.254", "169.254.170.2", "169.254.255.255", "fe80::1",
        "febf:ffff::1", "fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "192.0.0.192",
        "168.63.129.16", "::ffff:169.254.169.254", "::169.254.169.254", "64:ff9b::169.254.169.254",
        "2002:a9fe:a9fe::1", "64:ff9b::6464:64c8"}) {
    EXPECT_FALSE(allows(policy, address)) << address;
  }
  EXPECT_TRUE(allows(policy, "100.100.100.201"));
  EXPECT_TRUE(allows(policy, "fd00:ec2::255"));
}

// 8.8.8.8 and 2606:4700::1111 are this host's.
AddressPolicy at_home(const std::vector<std::string>& cidrs, const std::vector<int>& ports = {}) {
  return AddressPolicy::make(cidrs, ports,
                             [](const IpAddress& address, Monotonic) {
                               return address == *parse_ip_address("8.8.8.8") ||
                                      address == *parse_ip_address("2606:4700::1111");
                             })
      .value();
}

TEST(AddressPolicy, AllowsOfTheHostsOwnAddressesThePortsOfHttpAlone) {
  const auto closed = at_home({});
  const auto open = at_home({"8.8.8.0/24", "2606:4700::/32"});
  for (const char* own : {"8.8.8.8", "::ffff:8.8.8.8", "::8.8.8.8", "64:ff9b::808:808",
                          "2002:808:808::1", "2606:4700::1111"}) {
    EXPECT_TRUE(allows(closed, own, 80)) << own;
    EXPECT_TRUE(allows(closed, own, 443)) << own;
    for (const int port : {81, 8080, 3000, 9000, 65'535}) {
      EXPECT_FALSE(allows(closed, own, port)) << own << " " << port;
    }
  }
  for (const char* own : {"8.8.8.8", "::ffff:8.8.8.8", "2606:4700::1111"}) {
    EXPECT_TRUE(allows(open, own, 8080)) << own;
    EXPECT_FALSE(allows(open, own, 5432)) << own;
  }
  EXPECT_TRUE(allows(closed, "8.8.8.9", 8080)) << "somebody else's";
  EXPECT_TRUE(allows(closed, "2606:4700::1112", 8080));
}

TEST(AddressPolicy, DeniesClosedPortsEverywhere) {
  const auto policy = at_home({"127.0.0.0/8", "::/0"});
  for (const int port : {0, 22, 25, 53, 2375, 3306, 5432, 6379, 10'250, 11'211, 27'017}) {
    EXPECT_FALSE(policy.allows_port(port)) << port;
    for (const char* address :
         {"1.1.1.1", "127.0.0.1", "::1", "2606:4700::1112", "::ffff:1.1.1.1"}) {
      EXPECT_FALSE(allows(policy, address, port)) << address << " " << port;
    }
  }
  for (const int port : {80, 443, 3000, 8000, 8080, 8443, 49'152}) {
    EXPECT_TRUE(policy.allows_port(port)) << port;
  }
  const auto with_mail = at_home({}, {25, 5432});
  EXPECT_TRUE(allows(with_mail, "1.1.1.1", 25));
  EXPECT_TRUE(allows(with_mail, "1.1.1.1", 5432));
  EXPECT_FALSE(allows(with_mail, "1.1.1.1", 22));
  EXPECT_FALSE(allows(with_mail, "127.0.0.1", 25)) << "the address is private all the same";
  EXPECT_FALSE(allows(with_mail, "8.8.8.8", 25)) << "nor has this host a port for everybody there";
}

TEST(AddressPolicy, DeniesOtherFamilies) {
  sockaddr_un local{};
  local.sun_family = AF_UNIX;
  EXPECT_FALSE(allowing({"0.0.0.0/0", "::/0"}).allows(reinterpret_cast<const sockaddr&>(local)));
}

TEST(AddressPolicy, DeniesWhatIsNoNumericAddress) {
  const AddressPolicy policy = allowing({"0.0.0.0/0", "::/0"});
  for (const std::string text : {"", "localhost", "8.8.8", "8.8.8.8 ", "134744072", "0x8.8.8.8",
                                 "8.8.8.08", "[2606:4700::1111]", "2606:4700::1111%lo"}) {
    EXPECT_FALSE(policy.allows(text, 80)) << text;
  }
}

TEST(AddressPolicy, RefusesWhatIsNoCidr) {
  for (const std::string text :
       {"", "/", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8 ",
        "10.0.0.0/8x", "10.0.0/8", "10.0.0.1/8", "010.0.0.0/8", "::/129", "fd12::", "fd12::1/16",
        "fe80::%lo/10", "localhost/8", "10.0.0.0/8,10.1.0.0/16", "10.0.0.0/+8",
        "10.0.0.0/99999999999"}) {
    const auto policy = AddressPolicy::make(std::vector{std::string("10.0.0.0/8"), text});
    ASSERT_TRUE(policy.has_error()) << text;
    EXPECT_EQ(policy.error().code, Errc::invalid_argument) << text;
    EXPECT_EQ(policy.error().reason, "cidr_invalid") << text;
    EXPECT_NE(policy.error().message.find('"' + text + '"'), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace postern::scheduler
