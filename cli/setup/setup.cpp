// `postern setup`: from installed files to a first delivered task, step by step.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <utility>

#include "cli/command/commands.h"
#include "cli/command/ending.h"
#include "cli/output/records.h"
#include "cli/setup/files.h"
#include "cli/setup/step.h"
#include "core/program/settings.h"

namespace postern::admin {
namespace {

using setup::Look;
using setup::Plan;
using setup::Step;

struct Arguments {
  Plan plan;
  bool dry_run = false, check = false, undo = false;
};

std::vector<Step> steps(Plan& plan) {
  // What nginx has says what clients call us, which the settings want.
  auto nginx = setup::nginx_steps(plan);
  std::vector<Step> out;
  const auto add = [&out](std::vector<Step> more) {
    for (auto& step : more) out.push_back(std::move(step));
  };
  add(setup::database_steps(plan));
  add(setup::settings_steps(plan));
  add(setup::unit_steps(plan));
  add(std::move(nginx));
  add(setup::first_steps(plan));
  return out;
}

// The setting as the programs read it: a file with a wrong one would stop them all.
std::string public_url(Settings& settings, const std::string& given) {
  const auto all = all_settings();
  const auto setting = std::find_if(all.begin(), all.end(), [](const Setting& each) {
    return std::string_view(each.name) == "public_url";
  });
  if (!setting->set(settings, given)) {
    throw UsageError(
        fmt::format("--public-url: '{}' is wrong; it must be {}", given, setting->expected));
  }
  return settings.public_url;
}

// A line for each step, at once for people, at the end for programs.
class Report {
 public:
  explicit Report(bool json) : json_(json) {}

  void line(const char* verdict, const char* name, const std::string& text) {
    rows_.push_back({name, verdict, text});
    if (json_) return;
    fmt::print("{:<9} {:<10} {}\n", verdict, name, text);
    std::fflush(stdout);
  }
  void end() const {
    if (json_) print_table({"step", "verdict", "text"}, rows_, true);
  }

 private:
  bool json_;
  std::vector<std::vector<std::string>> rows_;
};

void run(Context& context, Arguments& arguments) {
  auto& plan = arguments.plan;
  plan.context = &context;
  if (plan.public_url.empty()) plan.public_url = context.settings.public_url;
  plan.public_url = public_url(context.settings, plan.public_url);
  if (plan.new_passwords && plan.local()) {
    throw UsageError(
        "--new-passwords: this PostgreSQL is reached by a Unix socket, which wants no passwords");
  }
  if (plan.nginx_dir.empty()) plan.nginx_dir = plan.path("/etc/nginx");
  if (!arguments.dry_run && !arguments.undo) setup::be_alone(plan.path("/etc"));
  auto all = steps(plan);
  Report report(context.json);
  if (arguments.undo) {
    for (auto step = all.rbegin(); step != all.rend(); ++step) {
      report.line("undo", step->name, step->undo);
    }
    return report.end();
  }
  const auto stop_at = [&report](const char* name, const std::string& why) {
    report.line("FAILED", name, why);
    report.end();
    fmt::print(stderr,
               "postern: setup stopped at this step; run it again when the cause is gone: "
               "what is done stays done\n");
    std::exit(1);
  };
  if (const auto other = setup::other_database(plan)) stop_at("settings", *other);
  bool skipped_check = false;
  for (const auto& step : all) {
    if (arguments.check && std::string(step.name) != "first task") continue;
    try {
      const auto look = step.look();
      switch (look.state) {
        case Look::State::done: report.line("is done", step.name, look.text); break;
        case Look::State::skipped:
          report.line("skipped", step.name, look.text);
          skipped_check = true;
          break;
        case Look::State::open:
          if (arguments.dry_run) {
            report.line("would do", step.name, look.text);
          } else {
            report.line("did", step.name, step.run());
          }
      }
    } catch (const setup::Skipped& reason) {
      report.line("skipped", step.name, reason.what());
      skipped_check = true;
    } catch (const std::exception& error) {
      stop_at(step.name, error.what());
    }
  }
  if (arguments.check && skipped_check) {
    report.end();
    std::exit(1);
  }
  if (!arguments.dry_run && !arguments.check) {
    if (!plan.vhost.empty() && !plan.public_url.empty()) {
      plan.to_do.emplace_back(fmt::format("the dashboard is at {}/v1/ui/", plan.public_url));
    }
    plan.to_do.emplace_back(
        "`postern doctor` says what is wrong, `postern setup --undo` how each "
        "step is undone");
  }
  for (const auto& text : plan.to_do) report.line("next", "", text);
  report.end();
}

}  // namespace

void add_setup(Command& app, Context& context) {
  Command command = app.add(
      "setup",
      "Set Postern up on this host: database, roles, settings, units, nginx, a key and a first "
      "task. What is there already stays as it is");
  auto arguments = std::make_shared<Arguments>();
  auto& plan = arguments->plan;
  command.flag("--dry-run", arguments->dry_run, "only say what would be done");
  command.flag("--check", arguments->check, "only deliver the first task, if none was delivered");
  command.flag("--undo", arguments->undo, "only say how each step is undone");
  command.option("--vhost", plan.vhost,
                 "the server_name of an nginx server { } that gets the API at /v1/");
  command.option("--public-url", plan.public_url,
                 "the address clients know us by; else that of the vhost");
  command.option("--key-name", plan.key_name, "what the first API key is called").show_default();
  command.option("--admin-password-file", plan.admin_password_file,
                 "the file with the password of the user that --database names; else PGPASSWORD");
  command.flag(
      "--new-passwords", plan.new_passwords,
      "with PostgreSQL on another host: give its roles new passwords, also where they have "
      "some; those that other hosts have are void");
  command.option("--nginx-dir", plan.nginx_dir, "nginx's folder; else /etc/nginx");
  command.option("--root", plan.root, "a folder in front of /etc and /run, to try it");
  command.footer(
      "Examples:\n  postern setup --vhost app.example\n"
      "  postern setup --vhost app.example --database dbname=app\n"
      "  postern setup --database 'host=db.example user=admin dbname=postern sslmode=verify-full "
      "sslrootcert=FILE'");
  command.run([&context, arguments] { run(context, *arguments); });
}

}  // namespace postern::admin
