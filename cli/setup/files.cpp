#include "cli/setup/files.h"
#include "core/program/file.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <system_error>

#include <fmt/format.h>

namespace postern::admin::setup {
namespace {

[[noreturn]] void lost(const std::string& what, const std::string& path) {
  throw std::runtime_error(
      fmt::format("cannot {} {}: {}", what, path, std::generic_category().message(errno)));
}

}  // namespace

bool exists(const std::string& path) { return std::filesystem::exists(path); }

std::optional<std::string> read_file(const std::string& path) {
  if (!exists(path)) return std::nullopt;
  auto text = file_content(path);
  if (!text) lost("read", path);
  return text;
}

void write_file(const std::string& path, const std::string& text, unsigned mode) {
  const std::filesystem::path target =
      exists(path) ? std::filesystem::canonical(path) : std::filesystem::path(path);
  std::filesystem::create_directories(target.parent_path());
  // nginx's `include sites-enabled/*` takes no file whose name begins with a dot.
  const std::string fresh = target.parent_path() / ("." + target.filename().string() + ".new");
  unlink(fresh.c_str());
  const int file = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) lost("write", fresh);
  struct stat old {};
  const bool replaces = stat(target.c_str(), &old) == 0;
  const bool written = write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                       (!replaces || fchown(file, old.st_uid, old.st_gid) == 0 || geteuid() != 0) &&
                       fchmod(file, replaces ? old.st_mode & 07777 : mode) == 0 && fsync(file) == 0;
  close(file);
  if (!written || rename(fresh.c_str(), target.c_str()) != 0) {
    unlink(fresh.c_str());
    lost("write", target);
  }
}

std::string back_up(const std::string& folder, const std::string& name, const std::string& text) {
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(
      std::chrono::system_clock::now().time_since_epoch());
  auto file = fmt::format("{}/{}.{}", folder, name, now.count());
  write_file(file, text, 0600);
  return file;
}

void be_alone(const std::string& folder) {
  const int lock = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return;
  throw std::runtime_error("another `postern setup` is at work on this host: wait for its end");
}

Ended run_program(const std::vector<std::string>& command) {
  std::string program = command[0];
  if (exists("/usr/sbin/" + program)) program = "/usr/sbin/" + program;
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) lost("run", program);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
  std::vector<char*> arguments;
  for (const auto& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  pid_t pid = 0;
  const int failed =
      posix_spawnp(&pid, program.c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  Ended out{127, ""};
  std::array<char, 4096> part{};
  for (ssize_t n = 0; (n = read(ends[0], part.data(), part.size())) > 0;) {
    out.said.append(part.data(), static_cast<std::size_t>(n));
  }
  close(ends[0]);
  if (failed != 0) return {127, fmt::format("there is no program {}", command[0])};
  int status = 0;
  waitpid(pid, &status, 0);
  out.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  while (out.said.ends_with('\n')) out.said.pop_back();
  return out;
}

}  // namespace postern::admin::setup
