// POST /v1/schedules/preview: when a schedule would fire that is not made.
#include <fmt/format.h>

#include "tests/fcgi/wire.h"

namespace postern::test {
namespace {

class SchedulePreviewTest : public WireTest {
 protected:
  Answer preview(const std::string& body) { return ask("POST", "/v1/schedules/preview", body); }
  static std::string told(const Answer& answer) {
    return fmt::format("{} {} {}", answer.status, answer.reason(), answer.field());
  }
};

TEST_F(SchedulePreviewTest, TellsTimesInOrderAndMakesNothing) {
  // On 31 March 2030 clocks jump over 02:30.
  const Answer times = preview(R"({"schedule":"30 2 31 3 *","timezone":"Europe/Berlin",)"
                               R"("starts_at":"2030-01-01T00:00:00Z","count":2})");
  EXPECT_EQ(times.status, 200) << times.body;
  EXPECT_EQ(times.body, R"({"next":["2030-03-31T01:00:00Z","2031-03-31T00:30:00Z"]})");
  EXPECT_EQ(preview(R"({"schedule":"TZ=Asia/Tokyo 0 0 1 1 *","starts_at":"2030-01-02T00:00:00Z",)"
                    R"("ends_at":"2032-06-01T00:00:00Z"})")
                .body,
            R"({"next":["2030-12-31T15:00:00Z","2031-12-31T15:00:00Z"]})");
  EXPECT_EQ(preview(R"({"schedule":"@hourly"})").at("next").as_array().size(), 10u);
  EXPECT_EQ(preview(R"({"interval_seconds":90,"count":100})").at("next").as_array().size(), 100u);
  EXPECT_EQ(count("SELECT count(*) FROM postern.schedule"), 0);
}

TEST_F(SchedulePreviewTest, TellsTheSameTimesAsTheScheduleOnceItIsMade) {
  const std::string times = R"("schedule":"0 8 * * 1-5","timezone":"Europe/Berlin")";
  ASSERT_EQ(ask("POST", "/v1/schedules",
                R"({"name":"s","queue":"q","webhook_url":"http://receiver.test/",)" + times + "}")
                .status,
            201);
  EXPECT_EQ(preview("{" + times + "}").body, ask("GET", "/v1/schedules/s/next").body);
}

TEST_F(SchedulePreviewTest, RefusesWhatCreatingItWould) {
  for (
      const char* members :
      {R"("schedule":"")", R"("timezone":"UTC")", R"("schedule":"not a cron")",
       R"("schedule":"0 0 30 2 *")", R"("schedule":5)",
       R"("schedule":"@daily","interval_seconds":5)", R"("interval_seconds":0)",
       R"("schedule":"@daily","timezone":"Mars/Base")",
       R"("schedule":"TZ=Asia/Tokyo @daily","timezone":"UTC")",
       R"("schedule":"@daily","starts_at":"soon")",
       R"("schedule":"@daily","starts_at":"2030-01-02T00:00:00Z","ends_at":"2030-01-01T00:00:00Z")",
       R"("schedule":"@daily","ends_at":"2020-01-01T00:00:00Z")",
       R"("schedule":"@yearly","nobody":1)"}) {
    const Answer made =
        ask("POST", "/v1/schedules",
            fmt::format(R"({{"name":"s","queue":"q","webhook_url":"http://receiver.test/",{}}})",
                        members));
    const Answer previewed = preview(fmt::format("{{{}}}", members));
    EXPECT_EQ(previewed.status, 400) << members;
    EXPECT_EQ(previewed.body, made.body) << members;
  }
  EXPECT_EQ(told(preview(R"({"schedule":"@daily","count":0})")), "400 count_invalid count");
  EXPECT_EQ(told(preview(R"({"schedule":"@daily","count":101})")), "400 count_invalid count");
}

TEST_F(SchedulePreviewTest, WhoMayReadMayAsk) {
  HttpRequest asked = request("POST", "/v1/schedules/preview", R"({"schedule":"@daily"})");
  asked.role = "read";
  EXPECT_EQ(ask(asked).status, 200);
  asked.sandbox = "1";
  EXPECT_EQ(ask(asked).status, 200);
}

}  // namespace
}  // namespace postern::test
