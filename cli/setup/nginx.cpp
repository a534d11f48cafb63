// nginx: the definitions at http level, and the one line in a server { } that is there.
#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <stdexcept>

#include "cli/setup/files.h"
#include "cli/setup/reload.h"
#include "cli/setup/step.h"
#include "cli/setup/vhosts.h"
#include "core/base/text.h"

namespace postern::admin::setup {
namespace {

namespace fs = std::filesystem;

constexpr char kDirective[] = "include snippets/postern.conf;";

std::string link_of(const Plan& plan) { return plan.nginx_dir + "/conf.d/postern.conf"; }

// Throws what nginx says of its configuration, if it refuses it.
void check_nginx(const Plan& plan, const std::string& otherwise) {
  const auto ended = run_program(nginx_command(plan, {"-t", "-q"}));
  if (ended.code == 0) return;
  throw std::runtime_error(fmt::format("nginx -t refuses it{}: {}", otherwise, ended.said));
}

struct Place {
  std::string file;  // the real one, behind links
  std::string text;
  Server server;

  std::string shown() const { return fmt::format("{}:{}", file, server.line); }
  bool has_postern() const {
    return std::any_of(server.includes.begin(), server.includes.end(), [](const auto& each) {
      return each == "snippets/postern.conf" || each.ends_with("/snippets/postern.conf");
    });
  }
};

// Every server { } of the sites that nginx has.
std::vector<Place> places(const Plan& plan) {
  std::set<std::string> files;  // in an order that stays, and each once
  for (const char* folder : {"/sites-enabled", "/conf.d"}) {
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(plan.nginx_dir + folder, none)) {
      const auto name = entry.path().filename().string();
      if (name.starts_with('.') || entry.path() == link_of(plan)) continue;
      if (*(folder + 1) == 'c' && !name.ends_with(".conf")) continue;
      if (fs::is_regular_file(entry.path(), none)) files.insert(fs::canonical(entry.path()));
    }
  }
  std::vector<Place> out;
  for (const auto& file : files) {
    const auto text = read_file(file).value_or("");
    for (auto& server : servers_of(text)) out.push_back({file, text, std::move(server)});
  }
  return out;
}

// Lua has quotes and braces of its own, so a file with some may be misread, and the line would go
// to a server of another name.
Place readable(Place place) {
  if (place.text.find("_by_lua_block") == std::string::npos) return place;
  throw std::runtime_error(
      fmt::format("--vhost: {} has blocks of Lua, which setup does not read: add "
                  "the line to the server {{ }} yourself: {}",
                  place.file, kDirective));
}

// The one server { } of that name: of several, the one with TLS.
Place chosen(const Plan& plan) {
  const auto all = places(plan);
  std::vector<Place> named, secure;
  std::set<std::string> names;
  for (const auto& place : all) {
    names.insert(place.server.names.begin(), place.server.names.end());
    if (std::find(place.server.names.begin(), place.server.names.end(), plan.vhost) ==
        place.server.names.end()) {
      continue;
    }
    named.push_back(place);
    if (place.server.tls) secure.push_back(place);
  }
  if (named.size() == 1) return readable(std::move(named[0]));
  if (secure.size() == 1) return readable(std::move(secure[0]));
  if (named.empty()) {
    throw std::runtime_error(
        fmt::format("--vhost: no server in {} has the server_name {}; there are: {}",
                    plan.nginx_dir, plan.vhost, fmt::join(names, ", ")));
  }
  std::string where;
  for (const auto& place : named) where += (where.empty() ? "" : ", ") + place.shown();
  throw std::runtime_error(fmt::format(
      "--vhost: {} is the name of several servers ({}), and not one of them alone has TLS: add the "
      "line yourself: {}",
      plan.vhost, where, kDirective));
}

// The line and its neighbours, as diff shows them.
std::string difference(const Place& place, const std::string& changed) {
  std::string out = fmt::format("--- {}", place.file);
  const auto at = changed.find(kDirective, place.server.close > 400 ? place.server.close - 400 : 0);
  const auto from = changed.rfind('\n', at) + 1;
  const auto before = from < 2 ? 0 : changed.rfind('\n', from - 2) + 1;
  const auto to = std::min(changed.find('\n', at), changed.size());
  const auto after = std::min(changed.find('\n', to + 1), changed.size());
  if (from > 0) out += "\n     " + changed.substr(before, from - 1 - before);
  out += "\n    +" + changed.substr(from, to - from);
  if (to < changed.size()) out += "\n     " + changed.substr(to + 1, after - to - 1);
  return out;
}

// All that the line needs. A package that is installed again brings the definitions back without a
// reload, and nginx goes on with what it read before.
std::vector<std::string> files_of(const Plan& plan, const Place& place) {
  std::vector<std::string> out{place.file, link_of(plan),
                               plan.nginx_dir + "/snippets/postern.conf"};
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(plan.nginx_dir + "/postern", none)) {
    if (entry.path().extension() == ".conf") out.push_back(entry.path());
  }
  std::sort(out.begin() + 3, out.end());
  return out;
}

bool is_host(std::string_view name) {
  return !name.empty() && is_alphanumeric(name.front()) &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return is_alphanumeric(c) || c == '-' || c == '.'; });
}

Step link(Plan& plan) {
  return {"nginx",
          [&plan] {
            if (!exists(plan.nginx_dir + "/postern/http.conf")) {
              return skipped(plan.nginx_dir +
                             "/postern/http.conf is not there: install nginx and "
                             "Postern's files for it");
            }
            if (fs::is_symlink(link_of(plan)) || exists(link_of(plan))) {
              return done(link_of(plan) + " is there");
            }
            return open(
                fmt::format("link {} to {}/postern/http.conf: definitions, which change "
                            "nothing for a site",
                            link_of(plan), plan.nginx_dir));
          },
          [&plan] {
            check_nginx(plan, " as it is, before anything is changed");
            fs::create_directories(plan.nginx_dir + "/conf.d");
            fs::create_symlink("../postern/http.conf", link_of(plan));
            try {
              check_nginx(plan, ", so the link is gone again");
            } catch (...) {
              fs::remove(link_of(plan));
              throw;
            }
            return "linked " + link_of(plan);
          },
          "rm " + link_of(plan) + " (after the line is out of the vhost)"};
}

Step vhost(Plan& plan) {
  return {
      "vhost",
      [&plan] {
        if (plan.vhost.empty()) {
          plan.to_do.push_back(fmt::format(
              "add this line to the server {{ }} that clients use, then `nginx -t` and reload "
              "nginx (or run `postern setup --vhost NAME`): {}",
              kDirective));
          return skipped("no --vhost was given");
        }
        if (!exists(plan.nginx_dir + "/snippets/postern.conf")) {
          return skipped(plan.nginx_dir + "/snippets/postern.conf is not there");
        }
        const auto place = chosen(plan);
        if (place.has_postern()) {
          const auto unread = works_without(plan, files_of(plan, place));
          if (unread.empty()) return done(place.shown() + " has the line");
          return open(
              fmt::format("reload nginx, which has not done so since {} was changed", unread));
        }
        return open(difference(place, with_directive(place.text, place.server, kDirective)));
      },
      [&plan] {
        check_nginx(plan, " as it is, before anything is changed");
        const auto place = chosen(plan);
        if (place.has_postern()) return reload_nginx(plan);
        const auto changed = with_directive(place.text, place.server, kDirective);
        const auto backup =
            back_up(plan.backups(), fs::path(place.file).filename().string(), place.text);
        write_file(place.file, changed, 0644);
        try {
          check_nginx(plan, fmt::format(", so {} is as it was", place.file));
        } catch (...) {
          write_file(place.file, place.text, 0644);
          throw;
        }
        const auto what =
            fmt::format("{}\n    the file as it was: {}", difference(place, changed), backup);
        try {
          return what + "; " + reload_nginx(plan);
        } catch (const std::runtime_error& error) {
          throw std::runtime_error(what + "\n    " + error.what());
        }
      },
      fmt::format("take the line out of the vhost ({}), or copy the file of {} back; then nginx "
                  "-t and reload nginx",
                  kDirective, plan.backups())};
}

}  // namespace

std::vector<Step> nginx_steps(Plan& plan) {
  // Clients reach the API where the vhost is, unless something else was said, or the vhost's name
  // is none that they can ask for (*.example, ~^app, _).
  if (is_host(plan.vhost) && plan.public_url.empty()) {
    try {
      plan.public_url = (chosen(plan).server.tls ? "https://" : "http://") + plan.vhost;
    } catch (const std::runtime_error&) {
      // The step says it.
    }
  }
  return {link(plan), vhost(plan)};
}

}  // namespace postern::admin::setup
