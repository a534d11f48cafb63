// A reload, as nginx does it: the master is told by a signal, which waits for nothing. It reads the
// configuration, starts new workers, and then has the earlier ones end; until then these accept
// connections, too. When the new configuration cannot be used after all (an address that is taken),
// they stay, and the error log alone says so.
#include "cli/setup/reload.h"

#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <set>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "cli/setup/files.h"
#include "core/program/file.h"

namespace postern::admin::setup {
namespace {

namespace fs = std::filesystem;
using std::chrono::nanoseconds;

// To read a configuration of some thousand sites takes nginx seconds.
constexpr auto kPatience = std::chrono::seconds(10);
constexpr std::string_view kMaster = "nginx: master process ";

// Nothing, when the process has ended meanwhile.
std::string proc(const std::string& pid, const std::string& file) {
  return file_content(fmt::format("/proc/{}/{}", pid, file)).value_or("");
}

// Up to the first of the zero bytes behind it.
std::string title_of(const std::string& pid) { return proc(pid, "cmdline").c_str(); }

// The file that a master with this title reads: the title has the words it was started with.
std::string conf_of(const std::string& title) {
  std::istringstream words(title.substr(kMaster.size()));
  for (std::string word; words >> word;) {
    if (word == "-c" && words >> word) return word;
    if (word.starts_with("-c/")) return word.substr(2);
  }
  return "/etc/nginx/nginx.conf";
}

// In this container, and root's or one's own: anybody can call a process nginx.
bool is_ours(const fs::path& process) {
  std::error_code none;
  const auto space = fs::read_symlink(process / "ns/pid", none);
  struct stat status {};
  return !none && space == fs::read_symlink("/proc/self/ns/pid", none) &&
         stat(process.c_str(), &status) == 0 && (status.st_uid == 0 || status.st_uid == geteuid());
}

// The process of the master that reads plan.nginx_dir; empty: none is seen, or several are, as
// while nginx is upgraded. Its own file with that number is not asked for: it may be named in any
// file of the configuration, or be gone.
std::string master_of(const Plan& plan) {
  std::error_code none;
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator("/proc", none)) {
    const auto pid = entry.path().filename().string();
    if (pid.find_first_not_of("0123456789") != pid.npos) continue;
    const auto title = title_of(pid);
    if (title.starts_with(kMaster) && is_ours(entry.path()) &&
        fs::equivalent(conf_of(title), plan.nginx_dir + "/nginx.conf", none)) {
      found.push_back(pid);
    }
  }
  return found.size() == 1 ? found[0] : "";
}

// The processes that accept connections. A worker that has begun to end says so in its title.
std::set<std::string> accepting_workers(const std::string& master) {
  std::set<std::string> out;
  std::istringstream children(proc(master, fmt::format("task/{}/children", master)));
  for (std::string pid; children >> pid;) {
    if (title_of(pid) == "nginx: worker process") out.insert(pid);
  }
  return out;
}

bool any_of_both(const std::set<std::string>& some, const std::set<std::string>& others) {
  return std::any_of(some.begin(), some.end(),
                     [&](const auto& each) { return others.contains(each); });
}

nanoseconds since(const timespec& time) {
  return std::chrono::seconds(time.tv_sec) + nanoseconds(time.tv_nsec);
}

nanoseconds now(clockid_t clock) {
  timespec out{};
  clock_gettime(clock, &out);
  return since(out);
}

// When the process began, by the clock that files have, and not before: the kernel counts in ticks.
// Zero: it has ended.
nanoseconds began(const std::string& pid) {
  const auto stat = proc(pid, "stat");
  std::istringstream fields(stat.substr(std::min(stat.rfind(')') + 1, stat.size())));
  std::string skipped;
  for (int n = 3; n < 22; ++n) fields >> skipped;
  std::int64_t ticks = 0;
  if (!(fields >> ticks)) return nanoseconds(0);
  const auto tick = nanoseconds(std::chrono::seconds(1)) / sysconf(_SC_CLK_TCK);
  return now(CLOCK_REALTIME) - now(CLOCK_BOOTTIME) + (ticks + 1) * tick;
}

// When the file or the link to it was changed, whichever is later. Not the time of the text, which
// a copy keeps from its original. Zero: there is neither.
nanoseconds changed(const std::string& path) {
  struct stat file {
  }, link{};
  const bool there = lstat(path.c_str(), &link) == 0;
  return std::max(there ? since(link.st_ctim) : nanoseconds(0),
                  stat(path.c_str(), &file) == 0 ? since(file.st_ctim) : nanoseconds(0));
}

}  // namespace

std::vector<std::string> nginx_command(const Plan& plan, std::vector<std::string> more) {
  std::vector<std::string> out{"nginx", "-c", plan.nginx_dir + "/nginx.conf"};
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

std::string reload_nginx(const Plan& plan) {
  const auto master = master_of(plan);
  const auto earlier = accepting_workers(master);
  const auto ended = exists(plan.path("/run/systemd/system"))
                         ? run_program({"systemctl", "reload", "nginx"})
                         : run_program(nginx_command(plan, {"-s", "reload"}));
  if (ended.code != 0) {
    if (master.empty()) return "nginx could not be reloaded; does it run?";
    throw std::runtime_error(
        fmt::format("nginx runs (process {}) and could not be reloaded: {}", master, ended.said));
  }
  if (earlier.empty()) {
    return "nginx was told to reload; its processes are not seen from here, so look whether its "
           "error log says that it did not";
  }
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (any_of_both(earlier, accepting_workers(master))) {
    if (std::chrono::steady_clock::now() > until) {
      throw std::runtime_error(fmt::format(
          "nginx was told to reload, and after {} s its earlier workers go on without what is new: "
          "its error log says why (such as an address that another program has)",
          kPatience.count()));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return "nginx is reloaded";
}

std::string works_without(const Plan& plan, const std::vector<std::string>& files) {
  auto oldest = nanoseconds::max();
  for (const auto& pid : accepting_workers(master_of(plan))) {
    const auto start = began(pid);
    if (start > nanoseconds(0)) oldest = std::min(oldest, start);
  }
  const auto found = std::find_if(files.begin(), files.end(),
                                  [&](const auto& file) { return changed(file) > oldest; });
  return found == files.end() ? "" : *found;
}

}  // namespace postern::admin::setup
