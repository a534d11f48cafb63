// Where the links of answers lead: to public_url, whatever prefix the site has that was asked.
#include "tests/fcgi/wire.h"

namespace postern::test {
namespace {

constexpr char kEndpoint[] = R"({"url":"http://receiver.test/"})";

class LinksTest : public WireTest {
 protected:
  // At the mount of `dialect` below /queue; empty: at that of all dialects.
  static HttpRequest below_queue(std::string method, std::string path, std::string body,
                                 const std::string& dialect = "") {
    HttpRequest out = request(std::move(method), std::move(path), std::move(body));
    out.dialect = dialect;
    if (!dialect.empty()) out.mount = "/" + dialect;
    out.base_path = "/queue" + out.mount;
    return out;
  }

  void SetUp() override { ask("POST", "/v1/queues", R"({"name":"Q"})"); }

  // All links there are begin with `base`, and those of a dialect's mount go on with it.
  void expect_links(const std::string& base) {
    const auto link = [&](const HttpRequest& asked) {
      const Answer answer = ask(asked);
      EXPECT_TRUE(answer.status == 201 || answer.status == 200) << answer.body;
      const auto found = answer.headers.find("Location");
      return found == answer.headers.end() ? answer.body : found->second;
    };
    const auto begins = [](const std::string& text, const std::string& with) {
      EXPECT_EQ(text.substr(0, with.size()), with);
    };
    begins(link(below_queue("POST", "/v1/tasks",
                            R"({"queue":"q","webhook_url":"http://receiver.test/"})")),
           base + "/v1/tasks/task_");
    begins(link(below_queue("POST", "/v1/tasks", R"({"targetUrl":"http://receiver.test/"})",
                            "asyncqueue")),
           base + "/asyncqueue/v1/tasks/");
    begins(link(below_queue("POST", "/v1/tasks", R"({"type":"email","queue":"Q"})", "asyncjobs")),
           base + "/asyncjobs/v1/tasks/");
    begins(link(below_queue("POST", "/add-job", R"({"payload":{},"handler":"mail"})", "taskmq")),
           base + "/taskmq/job/");
    EXPECT_EQ(link(below_queue("PUT", "/v1/endpoints/e", kEndpoint)), base + "/v1/endpoints/e");
    begins(link(below_queue("POST", "/v1/endpoints/e/test", "{}")), base + "/v1/tasks/task_");
    EXPECT_EQ(link(below_queue(
                  "PUT", "/v1/schedules/s",
                  R"({"interval_seconds":90,"queue":"q","webhook_url":"http://receiver.test/"})")),
              base + "/v1/schedules/s");
    begins(link(below_queue("POST", "/v1/schedules/s/trigger", "")), base + "/v1/tasks/task_");
  }
};

TEST_F(LinksTest, LeadToThePublicUrlAlone) {
  for (const char* url : {"https://a.test", "https://a.test/queue", "https://b.test/elsewhere"}) {
    Handlers::Options options;
    options.public_url = url;
    start(options);
    expect_links(url);
    ask("DELETE", "/v1/endpoints/e");
    ask("DELETE", "/v1/schedules/s");
  }
}

TEST_F(LinksTest, ArePathsOfTheSiteWithoutAPublicUrl) { expect_links("/queue"); }

}  // namespace
}  // namespace postern::test
