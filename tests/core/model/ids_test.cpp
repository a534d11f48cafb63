#include "core/model/ids.h"

#include <gtest/gtest.h>

#include <chrono>

#include "core/base/uuid.h"
#include "core/program/task_ids.h"

namespace postern {
namespace {

// Any 128 bits, valid id or not.
TaskId from_hex(std::string_view text) {
  TaskId id;
  std::size_t digits = 0;
  for (const char c : text) {
    if (c == '-') continue;
    auto& byte = id.bytes[digits++ / 2];
    byte = static_cast<std::uint8_t>(byte << 4 | (c <= '9' ? c - '0' : c - 'a' + 10));
  }
  return id;
}

struct Spellings {
  const char *uuid, *type_id, *ksuid;
};

// The first pair is TypeID's published vector, the second UUID RFC 9562's; the rest was computed
// with big integers in Python.
constexpr Spellings kSpellings[] = {
    {"01890a5d-ac96-774b-bcce-b302099a8057", "task_01h455vb4pex5vsknk084sn02q",
     "2RuNZ46owQZPv3dLn2muW4qtUFr"},
    {"017f22e2-79b0-7cc3-98c4-dc0c0c07398f", "task_01fwhe4ydgfk1shh6w1g60eecf",
     "25TizqdXESOhUr0chKLCG7IeTnz"},
    {"00000000-0000-7000-8000-000000000000", "task_0000000000e008000000000000",
     "OcThknpRGgKH2jy9EZVcLdZIDia"},
};

TEST(TaskId, IsSpeltInThreeWays) {
  for (const auto& [uuid, type_id, ksuid] : kSpellings) {
    const TaskId id = from_hex(uuid);
    EXPECT_EQ(to_uuid(id), uuid);
    EXPECT_EQ(to_typeid(id), type_id);
    EXPECT_EQ(to_ksuid(id), ksuid);
  }
}

TEST(TaskId, IsReadFromEachSpelling) {
  for (const auto& [uuid, type_id, ksuid] : kSpellings) {
    for (const char* text : {uuid, type_id, ksuid}) {
      ASSERT_TRUE(parse_task_id(text)) << text;
      EXPECT_EQ(*parse_task_id(text), from_hex(uuid)) << text;
    }
  }
  EXPECT_EQ(parse_task_id("017F22E2-79B0-7CC3-98C4-DC0C0C07398F"), from_hex(kSpellings[1].uuid));
}

TEST(TypeId, MatchesThePublishedVectors) {
  EXPECT_EQ(to_typeid(from_hex("00000000-0000-0000-0000-000000000000")),
            "task_00000000000000000000000000");
  EXPECT_EQ(to_typeid(from_hex("00000000-0000-0000-0000-000000000001")),
            "task_00000000000000000000000001");
  EXPECT_EQ(to_typeid(from_hex("00000000-0000-0000-0000-000000000020")),
            "task_00000000000000000000000010");
  EXPECT_EQ(to_typeid(from_hex("ffffffff-ffff-ffff-ffff-ffffffffffff")),
            "task_7zzzzzzzzzzzzzzzzzzzzzzzzz");
  EXPECT_EQ(to_typeid(from_hex("0110c853-1d09-52d8-d73e-1194e95b5f19")),
            "task_0123456789abcdefghjkmnpqrs");
}

TEST(TaskId, RefusesEverythingElse) {
  for (const char* text : {
           "",
           "task_",
           "123",
           // UUIDs: a digit, a dash, the length, the version, the variant
           "01890a5d-ac96-774b-bcce-b302099a805g",
           "01890a5dxac96-774b-bcce-b302099a8057",
           "01890a5dac96-774b-bcce-b302099a80570",
           "01890a5d-ac96-774b-bcce-b302099a80577",
           "{1890a5d-ac96-774b-bcce-b302099a805}",
           "01890a5d-ac96-474b-bcce-b302099a8057",
           "01890a5d-ac96-774b-7cce-b302099a8057",
           "01890a5d-ac96-774b-ccce-b302099a8057",
           "00000000-0000-0000-0000-000000000000",
           // TypeIDs: the prefix, upper case, letters that base 32 leaves out, over 128 bits
           "01h455vb4pex5vsknk084sn02q",
           "tusk_01h455vb4pex5vsknk084sn02q",
           "TASK_01h455vb4pex5vsknk084sn02q",
           "task_01H455VB4PEX5VSKNK084SN02Q",
           "task_01h455vb4pex5vsknk084sn02l",
           "task_01h455vb4pex5vsknk084sn02i",
           "task_01h455vb4pex5vsknk084sn02u",
           "task_01h455vb4pex5vsknk084sn02o",
           "task_01h455vb4pex5vsknk084sn02",
           "task_01h455vb4pex5vsknk084sn02q0",
           "task_81h455vb4pex5vsknk084sn02q",
           "task_91h455vb4pex5vsknk084sn02q",
           "task_0123456789abcdefghjkmnpqrs",  // not version 7
           // KSUIDs: not version 7, over 160 bits (by one), another second, a byte outside base 62
           "0ujtsYcgvSTl8PAuAdqWYSMnLOv",
           "aWgEPTl1tmebfsQzFP4bxwgy80W",
           "cyabyXrqqDE1aw4L2RrWU1XrcGN",  // a good one and 2^160
           "zzzzzzzzzzzzzzzzzzzzzzzzzzz",
           "2RuNZBtsydpm0XJ7XCa3Ixy9Brz",
           "2RuNZ46owQZPv3dLn2muW4qtUF-",
       }) {
    EXPECT_FALSE(parse_task_id(text)) << text;
  }
  EXPECT_FALSE(parse_task_id(std::string_view("2RuNZ46owQZPv3dLn2muW4qtUF\0", 27)));
}

TEST(MakeTaskId, KeepsMicrosecondsAndRandomBits) {
  const std::array<std::uint8_t, 8> random = {0xff, 1, 2, 3, 4, 5, 6, 0xff};
  const Time now{Microseconds{1'645'557'742'000'999}};
  const TaskId id = make_task_id(now, random);
  EXPECT_EQ(made_at(id), Time{Milliseconds{1'645'557'742'000}}) << "cut to the millisecond";
  EXPECT_EQ(parse_task_id(to_uuid(id)), id) << "version and variant";
  EXPECT_EQ(to_uuid(id), "017f22e2-79b0-7f9f-bf01-0203040506ff");
}

TEST(MakeTaskId, ReadsTheRfcsExample) {
  const TaskId id = from_hex("017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
  EXPECT_EQ(format_rfc3339(made_at(id)), "2022-02-22T19:22:22Z");
}

// Ids sort by time in every spelling that clients sort by.
TEST(MakeTaskId, LaterIdsSortAfterEarlierOnes) {
  const std::array<std::uint8_t, 8> high = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
  const std::array<std::uint8_t, 8> low = {};
  const Time now{Seconds{1'736'937'000}};
  const TaskId first = make_task_id(now, high);
  for (const Microseconds later : {Microseconds{1}, Microseconds{999}, Microseconds{1000}}) {
    const TaskId second = make_task_id(now + later, low);
    EXPECT_LT(first, second);
    EXPECT_LT(to_uuid(first), to_uuid(second));
    EXPECT_LT(to_typeid(first), to_typeid(second));
    EXPECT_LT(to_ksuid(first), to_ksuid(second));
  }
}

TEST(NewTaskId, SortsAfterTheOnesBefore) {
  const Time start = std::chrono::floor<Milliseconds>(std::chrono::system_clock::now());
  TaskId before = new_task_id();
  EXPECT_GE(made_at(before), start);
  for (int i = 0; i < 2000; ++i) {
    const TaskId id = new_task_id();
    ASSERT_LT(before, id);
    before = id;
  }
  EXPECT_LE(made_at(before), std::chrono::system_clock::now() + Milliseconds{10});
}

}  // namespace
}  // namespace postern
