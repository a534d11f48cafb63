#include "db/pg/primary_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <sstream>
#include <stdexcept>
#include <system_error>

namespace postern::db {
namespace {

constexpr char kHead[] = "postern primary 1";
constexpr std::int64_t kLastWord = 253'402'300'799;  // the year 9999

[[noreturn]] void fail(const std::string& path, const char* what) {
  throw std::runtime_error(path + " cannot be " + what + ": " +
                           std::generic_category().message(errno));
}

struct Closing {
  int fd;
  ~Closing() {
    if (fd >= 0) close(fd);
  }
};

// The number of a line "NAME NUMBER"; nullopt for any other line.
std::optional<std::int64_t> number_of(const std::string& line, const std::string& name) {
  if (!line.starts_with(name + " ")) return std::nullopt;
  const char* const begin = line.data() + name.size() + 1;
  const char* const end = line.data() + line.size();
  std::int64_t value = 0;
  const auto [stop, error] = std::from_chars(begin, end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

}  // namespace

std::string primary_path(const std::string& folder) { return folder + "/primary"; }

std::optional<KnownPrimary> read_primary(const std::string& folder) {
  const auto path = primary_path(folder);
  const Closing file{open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
  if (file.fd < 0) {
    if (errno == ENOENT) return std::nullopt;
    fail(path, "read");
  }
  std::array<char, 512> buffer{};
  const auto size = read(file.fd, buffer.data(), buffer.size());
  if (size < 0) fail(path, "read");
  std::istringstream lines(std::string(buffer.data(), static_cast<std::size_t>(size)));
  std::string head, system, timeline, accepted, more;
  std::getline(lines, head);
  std::getline(lines, system);
  std::getline(lines, timeline);
  std::getline(lines, accepted);
  const auto of_system = number_of(system, "system");
  const auto of_timeline = number_of(timeline, "timeline");
  const auto of_accepted = number_of(accepted, "accepted");
  if (head != kHead || !of_system || !of_timeline || !of_accepted || *of_timeline < 0 ||
      *of_accepted < 0 || *of_accepted > kLastWord || std::getline(lines, more)) {
    throw std::runtime_error(path + " is not a file of this format (\"" + kHead + "\")");
  }
  return KnownPrimary{*of_system, *of_timeline, *of_accepted};
}

void write_primary(const std::string& folder, const KnownPrimary& known) {
  const auto path = primary_path(folder);
  const auto draft = path + "." + std::to_string(getpid());
  const Closing dir{open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  struct stat owner {};
  if (dir.fd < 0 || fstat(dir.fd, &owner) != 0) fail(path, "written");
  unlink(draft.c_str());  // of a process that died and had the same number
  const Closing file{
      open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640)};
  if (file.fd < 0) fail(draft, "written");
  std::ostringstream text;
  text << kHead << "\nsystem " << known.system << "\ntimeline " << known.timeline << "\naccepted "
       << known.accepted << "\n";
  const auto bytes = text.str();
  const bool owned = geteuid() != 0 || fchown(file.fd, owner.st_uid, owner.st_gid) == 0;
  if (!owned || write(file.fd, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()) ||
      fsync(file.fd) != 0 || rename(draft.c_str(), path.c_str()) != 0 || fsync(dir.fd) != 0) {
    const int why = errno;
    unlink(draft.c_str());
    errno = why;
    fail(path, "written");
  }
}

}  // namespace postern::db
