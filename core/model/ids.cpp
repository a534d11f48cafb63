#include "core/model/ids.h"

#include <algorithm>
#include <array>

#include "core/base/hex.h"

namespace postern {
namespace {

constexpr std::string_view kTypeIdPrefix = "task_";
constexpr std::string_view kBase32 = "0123456789abcdefghjkmnpqrstvwxyz";
constexpr std::string_view kBase62 =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::size_t kUuidLength = 36;
constexpr std::size_t kTypeIdLength = 5 + 26;
constexpr std::size_t kKsuidLength = 27;
constexpr std::int64_t kKsuidEpoch = 1'400'000'000;

// The digit's value in `alphabet`, or -1.
int digit_value(std::string_view alphabet, char c) {
  const std::size_t at = alphabet.find(c);
  return at == alphabet.npos ? -1 : static_cast<int>(at);
}

std::int64_t unix_millis(const TaskId& id) {
  std::int64_t millis = 0;
  for (int i = 0; i < 6; ++i) millis = millis << 8 | id.bytes[std::size_t(i)];
  return millis;
}

// The first four bytes of the KSUID: seconds since its epoch, modulo 2^32.
std::uint32_t ksuid_seconds(const TaskId& id) {
  return static_cast<std::uint32_t>(unix_millis(id) / 1000 - kKsuidEpoch);
}

bool is_ours(const TaskId& id) { return id.bytes[6] >> 4 == 7 && id.bytes[8] >> 6 == 2; }

std::optional<TaskId> parse_uuid(std::string_view text) {
  TaskId id;
  std::size_t digits = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i == 8 || i == 13 || i == 18 || i == 23) {
      if (text[i] != '-') return std::nullopt;
      continue;
    }
    const int value = hex_value(text[i]);
    if (value < 0) return std::nullopt;
    std::uint8_t& byte = id.bytes[digits++ / 2];
    byte = static_cast<std::uint8_t>(byte << 4 | value);
  }
  return id;
}

std::optional<TaskId> parse_typeid(std::string_view text) {
  text.remove_prefix(kTypeIdPrefix.size());
  if (digit_value(kBase32, text.front()) > 7) return std::nullopt;  // over 128 bits
  TaskId id;
  unsigned bits = 0;  // the low `held` bits are still to be written
  int held = -2;      // 26 digits are 130 bits: the first two, both zero, are dropped
  std::size_t at = 0;
  for (const char c : text) {
    const int value = digit_value(kBase32, c);
    if (value < 0) return std::nullopt;
    bits = bits << 5 | static_cast<unsigned>(value);
    held += 5;
    if (held >= 8) {
      held -= 8;
      id.bytes[at++] = static_cast<std::uint8_t>(bits >> held);
    }
  }
  return id;
}

std::optional<TaskId> parse_ksuid(std::string_view text) {
  std::array<std::uint8_t, 20> number{};
  for (const char c : text) {
    int carry = digit_value(kBase62, c);
    if (carry < 0) return std::nullopt;
    for (auto byte = number.rbegin(); byte != number.rend(); ++byte) {
      carry += *byte * 62;
      *byte = static_cast<std::uint8_t>(carry & 0xff);
      carry >>= 8;
    }
    if (carry != 0) return std::nullopt;  // over 160 bits
  }
  TaskId id;
  std::copy(number.begin() + 4, number.end(), id.bytes.begin());
  const std::uint32_t seconds = std::uint32_t{number[0]} << 24 | std::uint32_t{number[1]} << 16 |
                                std::uint32_t{number[2]} << 8 | std::uint32_t{number[3]};
  if (seconds != ksuid_seconds(id)) return std::nullopt;
  return id;
}

}  // namespace

Time made_at(const TaskId& id) { return Time{Milliseconds{unix_millis(id)}}; }

// The high ten bits of rand_a are the microseconds within the millisecond; its low two are the
// first two bits of `random`, whose own place in the id the variant takes.
TaskId make_task_id(Time now, std::span<const std::uint8_t, 8> random) {
  const Time whole = std::chrono::floor<Milliseconds>(now);
  const auto millis =
      static_cast<std::uint64_t>(std::chrono::floor<Milliseconds>(now.time_since_epoch()).count());
  const auto micros = static_cast<unsigned>((now - whole).count());
  TaskId id;
  for (std::size_t i = 0; i < 6; ++i) {
    id.bytes[i] = static_cast<std::uint8_t>(millis >> (40 - 8 * i));
  }
  const unsigned rand_a = micros << 2 | random[0] >> 6;
  id.bytes[6] = static_cast<std::uint8_t>(0x70 | rand_a >> 8);
  id.bytes[7] = static_cast<std::uint8_t>(rand_a & 0xff);
  std::copy(random.begin(), random.end(), id.bytes.begin() + 8);
  id.bytes[8] = static_cast<std::uint8_t>(0x80 | (random[0] & 0x3f));
  return id;
}

std::string to_typeid(const TaskId& id) {
  std::string out(kTypeIdPrefix);
  out.reserve(kTypeIdLength);
  unsigned bits = 0;
  int held = 2;  // two zero bits in front fill 128 up to 130, which is 26 digits
  for (const std::uint8_t byte : id.bytes) {
    bits = bits << 8 | byte;
    held += 8;
    while (held >= 5) {
      held -= 5;
      out += kBase32[bits >> held & 31];
    }
  }
  return out;
}

std::string to_ksuid(const TaskId& id) {
  std::array<std::uint8_t, 20> number{};
  const std::uint32_t seconds = ksuid_seconds(id);
  for (std::size_t i = 0; i < 4; ++i) {
    number[i] = static_cast<std::uint8_t>(seconds >> (24 - 8 * i));
  }
  std::copy(id.bytes.begin(), id.bytes.end(), number.begin() + 4);

  // Long division by 62, the last digit first.
  std::string out(kKsuidLength, '0');
  for (auto digit = out.rbegin(); digit != out.rend(); ++digit) {
    unsigned remainder = 0;
    for (std::uint8_t& byte : number) {
      remainder = remainder << 8 | byte;
      byte = static_cast<std::uint8_t>(remainder / 62);
      remainder %= 62;
    }
    *digit = kBase62[remainder];
  }
  return out;
}

std::optional<TaskId> parse_task_id(std::string_view text) {
  std::optional<TaskId> id;
  if (text.size() == kUuidLength) {
    id = parse_uuid(text);
  } else if (text.size() == kTypeIdLength && text.starts_with(kTypeIdPrefix)) {
    id = parse_typeid(text);
  } else if (text.size() == kKsuidLength) {
    id = parse_ksuid(text);
  }
  return id && is_ours(*id) ? id : std::nullopt;
}

}  // namespace postern
