// What a peer at the socket may send, through libfcgi and our own server: whatever it is, the
// server goes on and answers the next one.
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "fcgi/server/fastcgi.h"
#include "tests/fcgi/server/fcgi_client.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace postern;
using fuzz::require;

// For as long as the program runs.
class Server {
 public:
  Server()
      : path_(std::filesystem::temp_directory_path() / fmt::format("postern-fuzz-{}", getpid())),
        server_(open_listener("unix:" + path_), {.threads = 2, .max_body = 4096}, queue_,
                [](const HttpRequest& request, const Reply& reply) {
                  reply({200, {}, request.path + request.body});
                }),
        thread_([this] { server_.run(Fd()); }) {}
  ~Server() {
    server_.drain();
    thread_.join();
    std::filesystem::remove(path_);
  }

  test::FcgiClient client() const { return test::FcgiClient(path_); }

 private:
  const std::string path_;
  RunQueue queue_;
  FastCgiServer server_;
  std::thread thread_;
};

}  // namespace

// libfcgi forgets 50 bytes when a connection begins with a record that makes no sense, which nginx
// does not send.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:libfcgi.so"; }

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Server server;
  auto stranger = server.client();
  stranger.send(fuzz::text_of(data, size));
  stranger.shut_writing();
  (void)stranger.closes();

  auto next = server.client();
  const auto answer = next.ask("a body", false);
  require(answer && answer->ends_with("/a body"), "the next request is answered");
  return 0;
}
