#include "scheduler/http/own_addresses.h"

#include <gtest/gtest.h>

#include <chrono>

namespace postern::scheduler {
namespace {

using namespace std::chrono_literals;

const IpAddress kOne = *parse_ip_address("192.0.2.1");
const IpAddress kTwo = *parse_ip_address("2001:db8::2");

TEST(OwnAddresses, AreThoseOfTheInterfaces) {
  OwnAddresses own;
  EXPECT_TRUE(own.contains(*parse_ip_address("127.0.0.1"), Monotonic{1h}));
  EXPECT_FALSE(own.contains(kOne, Monotonic{1h}));
}

TEST(OwnAddresses, AreReadAgainAfterASecond) {
  std::vector<IpAddress> now = {kOne};
  int reads = 0;
  OwnAddresses own([&] {
    ++reads;
    return now;
  });
  const Monotonic start{1h};
  EXPECT_TRUE(own.contains(kOne, start));
  now = {kTwo};
  EXPECT_TRUE(own.contains(kOne, start + 999ms));
  EXPECT_EQ(reads, 1) << "not for each connection";
  EXPECT_TRUE(own.contains(kTwo, start + 1s));
  EXPECT_FALSE(own.contains(kOne, start + 1s));
  now = {};
  EXPECT_TRUE(own.contains(kTwo, start + 2s)) << "they could not be read";
  EXPECT_EQ(reads, 3);
}

}  // namespace
}  // namespace postern::scheduler
