// bench-empty-fcgi: a FastCGI handler that reads the request and answers 201 with a small JSON
// body, without any work in between. Behind nginx it is the upper limit for a handler built on
// libfcgi.
#include <fcgiapp.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

namespace {

// About the size of the answer to a created task.
const std::string kBody =
    R"({"id":"task_01hzy3v7k2e8s9q4r5t6w7x8y9","queue":"bench","status":"pending"})"
    "\n";
// The verdict header is for nginx's authentication subrequest, which this handler answers too.
const std::string kAnswer =
    "Status: 201 Created\r\nContent-Type: application/json\r\nPostern-Verdict: ok\r\n"
    "X-Accel-Expires: 5\r\nContent-Length: " +
    std::to_string(kBody.size()) + "\r\n\r\n" + kBody;

void serve(int listener) {
  FCGX_Request request;
  FCGX_InitRequest(&request, listener, 0);
  std::array<char, 16384> body;
  while (FCGX_Accept_r(&request) == 0) {
    while (FCGX_GetStr(body.data(), static_cast<int>(body.size()), request.in) > 0) {
    }
    FCGX_PutStr(kAnswer.data(), static_cast<int>(kAnswer.size()), request.out);
    FCGX_Finish_r(&request);
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::string socket;
  int threads = 64;
  CLI::App app("empty FastCGI handler");
  app.add_option("--listen", socket, "path of the Unix socket")->required();
  app.add_option("--threads", threads);
  CLI11_PARSE(app, argc, argv);
  FCGX_Init();
  umask(0);  // nginx's workers are another user
  const int listener = FCGX_OpenSocket(socket.c_str(), 4096);
  if (listener < 0) {
    std::fprintf(stderr, "bench-empty-fcgi: cannot listen on %s\n", socket.c_str());
    return 1;
  }
  std::vector<std::thread> pool;
  for (int i = 0; i < threads; ++i) pool.emplace_back(serve, listener);
  for (std::thread& thread : pool) thread.join();
}
