#include "fcgi/server/request_head.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <string>
#include <thread>

#include "fcgi/server/listener.h"

namespace postern {
namespace {

constexpr char kBegin = 1, kParams = 4;

std::string record(char type, const std::string& content, std::size_t padding = 0) {
  std::string out{1, type, 0, 1};
  out += static_cast<char>(content.size() >> 8);
  out += static_cast<char>(content.size() & 0xff);
  out += static_cast<char>(padding);
  out += '\0';
  return out + content + std::string(padding, 'p');
}

std::string length(std::size_t size) {
  if (size < 0x80) return std::string(1, static_cast<char>(size));
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) {
    out += static_cast<char>((size >> shift & 0xff) | (shift == 24 ? 0x80 : 0));
  }
  return out;
}

std::string param(const std::string& name, const std::string& value) {
  return length(name.size()) + length(value.size()) + name + value;
}

// The parameters in records of so many bytes.
std::string head(const std::string& params, std::size_t piece = 0xffff, std::size_t padding = 0) {
  std::string out = record(kBegin, {0, 1, 1, 0, 0, 0, 0, 0});
  for (std::size_t at = 0; at < params.size(); at += piece) {
    out += record(kParams, params.substr(at, piece), padding);
  }
  return out + record(kParams, "");
}

const std::string kUsual = param("A", "b") + param("LONG", std::string(300, 'v')) +
                           param("EMPTY", "") +
                           param(std::string(200, 'N'), std::string(70'000, 'v')) + param("", "");

TEST(RequestHead, IsFitInWhateverRecordsItComes) {
  EXPECT_EQ(look_at_head(head("")), Head::fit);
  for (const std::size_t piece : {1u, 2u, 3u, 7u, 100u, 8'192u, 65'535u}) {
    for (const std::size_t padding : {0u, 5u}) {
      if (piece < 3 && padding > 0) continue;
      EXPECT_EQ(look_at_head(head(kUsual, piece, padding)), Head::fit) << piece;
      EXPECT_EQ(look_at_head(head(kUsual, piece, padding) + "more"), Head::fit) << piece;
    }
  }
}

TEST(RequestHead, IsIncompleteUntilItsEnd) {
  for (const std::size_t piece : {13u, 65'535u}) {
    const std::string whole = head(param("A", "b") + param("C", std::string(200, 'd')), piece, 3);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      EXPECT_EQ(look_at_head(whole.substr(0, size)), Head::incomplete) << size;
    }
  }
}

TEST(RequestHead, IsUnfitWhenAParameterIsLongerThanThereIs) {
  for (const std::string& params :
       {param("A", "b") + length(5), param("A", "b") + length(0x7fffffff) + length(1) + "x",
        length(1) + length(3) + "abc", std::string("\x81"), std::string("\x01\x81\x00\x00", 4),
        length(0x7fffffff) + length(0x7fffffff)}) {
    for (const std::size_t piece : {1u, 65'535u}) {
      EXPECT_EQ(look_at_head(head(params, piece)), Head::unfit);
    }
  }
}

TEST(RequestHead, IsUnfitWhenItIsTooLongOrNoRequest) {
  const std::string large = param("A", std::string(kMaxParams, 'v'));
  EXPECT_EQ(look_at_head(head(large)), Head::unfit);
  EXPECT_EQ(look_at_head(head(large, 1'000)), Head::unfit);
  EXPECT_EQ(look_at_head(record(kParams, "")), Head::unfit);
  EXPECT_EQ(look_at_head(record(kBegin, "short")), Head::unfit);
  std::string padded = head(kUsual);
  padded[6] = 5;  // what follows the first record would be read in two ways
  padded.insert(16, 5, 'x');
  EXPECT_EQ(look_at_head(padded), Head::unfit);
  EXPECT_EQ(look_at_head(std::string(16, '\0')), Head::unfit);
  std::string other = head(kUsual);
  other[16 + 3] = 2;  // the parameters of another request
  EXPECT_EQ(look_at_head(other), Head::unfit);
}

// What is longer than usual, or comes in pieces, is waited for and left to be read.
TEST(RequestHead, IsWaitedFor) {
  for (const std::string& whole : {head(param("A", "b")), head(kUsual, 1'000)}) {
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    Fd here(ends[0]), there(ends[1]);
    std::thread sender([&] {
      for (std::size_t at = 0; at < whole.size(); at += 9'001) {
        const auto size = std::min<std::size_t>(9'001, whole.size() - at);
        EXPECT_EQ(send(there.get(), whole.data() + at, size, 0), static_cast<ssize_t>(size));
      }
    });
    EXPECT_TRUE(has_fit_head(here.get()));
    sender.join();
    std::string read(whole.size(), '\0');
    EXPECT_EQ(recv(here.get(), read.data(), read.size(), MSG_WAITALL),
              static_cast<ssize_t>(read.size()));
    EXPECT_EQ(read, whole);
  }
}

TEST(RequestHead, OfOneWhoSaysNoMoreIsNotWaitedFor) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  Fd here(ends[0]), there(ends[1]);
  EXPECT_EQ(send(there.get(), head("").data(), 10, 0), 10);
  there.reset();
  EXPECT_FALSE(has_fit_head(here.get()));
}

}  // namespace
}  // namespace postern
