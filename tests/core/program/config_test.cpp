// How settings come from flags, the environment and a file, and how a program starts with them.
#include "core/program/config.h"

#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <CLI/CLI.hpp>

#include "tests/core/program/parsing.h"

namespace postern {
namespace {

using namespace test;

// Reads the settings as the main function of a daemon does.
Settings read(std::vector<std::string> flags, Program program = Program::fcgi,
              const std::string& file = "/dev/null") {
  forget_environment();
  flags.insert(flags.begin(), {"program", "--config", file});
  std::vector<char*> argv;
  for (std::string& flag : flags) argv.push_back(flag.data());
  return read_settings(program, static_cast<int>(argv.size()), argv.data());
}

// The same with standard output sent to standard error, the only one that EXPECT_EXIT checks.
void read_and_tell(const std::vector<std::string>& flags, const std::string& file = "/dev/null") {
  dup2(STDERR_FILENO, STDOUT_FILENO);
  read(flags, Program::fcgi, file);
}

TEST(Settings, ComeFromFlagEnvironmentAndFileAlike) {
  for (const SettingExample& example : kSettingExamples) {
    const Program program = example.for_fcgi ? Program::fcgi : Program::scheduler;
    const std::string flag = std::string("--") + example.flag;
    const Parsing by_flag = with_flags({flag + "=" + example.value}, program);
    EXPECT_EQ(by_flag.sentence, "") << flag;
    EXPECT_FALSE(by_flag.settings == Settings{}) << flag;

    Parsing by_environment;
    by_environment.program = program;
    by_environment.environment = {{environment_of(example.flag), example.value}};
    by_environment.run();
    EXPECT_EQ(by_environment.sentence, "") << flag;
    EXPECT_TRUE(by_environment.settings == by_flag.settings) << flag;

    for (const std::string& line : {key_of(example.flag) + " = " + example.value,
                                    example.flag + std::string("=\"") + example.value + "\""}) {
      const Parsing by_file = with_file(line, program);
      EXPECT_EQ(by_file.sentence, "") << line;
      EXPECT_TRUE(by_file.settings == by_flag.settings) << line;
    }
  }
}

TEST(Settings, TakeTheFlagBeforeTheEnvironmentBeforeTheFile) {
  Parsing parsing;
  parsing.file = "threads = 1\nslots = 1\npool_size = 1\nmax_body = 1k";
  EXPECT_EQ(parsing.run().settings.threads, 1);
  parsing.environment = {{"POSTERN_THREADS", "2"}, {"POSTERN_POOL_SIZE", "2"}};
  EXPECT_EQ(parsing.run().settings.threads, 2);
  parsing.flags = {"--threads=3"};
  EXPECT_EQ(parsing.run().settings.threads, 3);
  EXPECT_EQ(parsing.settings.pool_size, 2);
  EXPECT_EQ(parsing.settings.max_body, 1024);
}

TEST(Settings, AreSwitchedOnByTheBareFlag) {
  EXPECT_TRUE(with_flags({"--unsafe-bind"}).settings.unsafe_bind);
  EXPECT_FALSE(with_flags({"--auto-create-queues=false"}).settings.auto_create_queues);
}

TEST(Settings, AreReadFromAnOrdinaryFile) {
  const Parsing parsing = with_file(
      "# Postern's settings\n"
      "\n"
      "   database =  host=/run/postgresql  dbname=postern # not a comment  \r\n"
      "auth=none\n"
      "\tslots = nonsense of another program, which that one checks\n"
      "idle-exit = 1h30m");
  EXPECT_EQ(parsing.sentence, "");
  EXPECT_EQ(parsing.settings.database, "host=/run/postgresql  dbname=postern # not a comment");
  EXPECT_EQ(parsing.settings.auth, "none");
  EXPECT_EQ(parsing.settings.idle_exit, Seconds{5400});
  EXPECT_EQ(parsing.settings.slots, Settings{}.slots);
}

TEST(Settings, RefuseAWrongFileNamingFileAndLine) {
  const std::pair<const char*, const char*> table[] = {
      {"\nthraeds = 5", "line 2: there is no setting \"thraeds\"."},
      {"[fcgi]\nthreads = 5", "line 1: there is no setting \"[fcgi]\"."},
      {"config = /x", "line 1: there is no setting \"config\"."},
      {"unsafe_bind", "line 1: it must be unsafe_bind = VALUE."},
      {"threads = 1\nthreads = 2", "line 2: threads is given twice."},
      {"\n\nthreads = none",
       "line 3: threads = \"none\" is wrong: it must be a number from 1 to 1024."},
      {"unsafe_bind = maybe",
       "line 1: unsafe_bind = \"maybe\" is wrong: it must be true or false."},
  };
  for (const auto& [file, sentence] : table) {
    EXPECT_EQ(with_file(file).sentence, config_path() + ", " + sentence);
  }
}

// The default file may be missing; one that is there is read or stops the program.
TEST(Settings, RefuseAFileThatCannotBeRead) {
  const std::string folder = testing::TempDir() + "postern_folder_" + std::to_string(getpid());
  ASSERT_EQ(mkdir(folder.c_str(), 0700), 0);
  const std::pair<std::string, std::string> table[] = {
      {"/nowhere/at.all", "/nowhere/at.all, named by --config, does not exist"},
      {"/etc/passwd/below", "/etc/passwd/below, named by --config, does not exist"},
      {folder, folder + " is a folder"},
      {folder + "/loop", folder + "/loop cannot be read (Too many levels of symbolic links)"},
  };
  ASSERT_EQ(symlink("loop", (folder + "/loop").c_str()), 0);
  for (const Program program : {Program::admin, Program::fcgi, Program::scheduler}) {
    for (const auto& [path, words] : table) {
      for (const bool check : {false, true}) {
        CLI::App app;
        Settings settings;
        add_settings(app, settings, program);
        std::vector<std::string> reversed = {path, "--config"};
        if (check) reversed.insert(reversed.begin(), "--check-config");
        std::string sentence;
        try {
          app.parse(reversed);
        } catch (const CLI::ParseError& error) {
          sentence = error.what();
          EXPECT_NE(error.get_exit_code(), 0);
        }
        EXPECT_NE(sentence.find(words), sentence.npos) << sentence;
      }
    }
  }
  // Help needs no settings.
  EXPECT_EXIT(read_and_tell({"--help"}, folder), testing::ExitedWithCode(0), "--idle-exit");
  unlink((folder + "/loop").c_str());
  rmdir(folder.c_str());
}

TEST(Settings, AcceptOnlyTheProgramsOwnFlags) {
  EXPECT_NE(with_flags({"--slots=5"}, Program::fcgi).sentence, "");
  EXPECT_NE(with_flags({"--threads=5"}, Program::scheduler).sentence, "");
  EXPECT_NE(with_flags({"--threads=5"}, Program::admin).sentence, "");
  EXPECT_NE(with_flags({"extra"}).sentence, "");
}

TEST(CheckConfig, SaysOkOrTheSentence) {
  EXPECT_EQ(with_flags({"--check-config"}).sentence, "ok");
  EXPECT_EQ(with_flags({"--check-config"}, Program::admin).sentence, "ok");
  EXPECT_EQ(with_flags({"--check-config", "--threads=0"}).sentence,
            "threads = \"0\" is wrong: it must be a number from 1 to 1024.");
  EXPECT_EQ(with_flags({"--check-config", "--listen=10.0.0.1:9"}).sentence.substr(0, 40),
            "listen = \"10.0.0.1:9\" is wrong: it must ");
}

TEST(Version, IsPrintedEvenWhenTheSettingsAreWrong) {
  Parsing parsing;
  parsing.flags = {"--version"};
  parsing.file = "thraeds = 5";
  EXPECT_EQ(parsing.run().sentence, "postern-fcgi " POSTERN_VERSION);
}

TEST(ReadSettings, ReturnsWhatIsRight) { EXPECT_EQ(read({"--threads", "3"}).threads, 3); }

TEST(ReadSettings, ExitsWith2AndOneSentence) {
  EXPECT_EXIT(read({"--threads", "0"}), testing::ExitedWithCode(2),
              "^postern-fcgi: threads = \"0\" is wrong: it must be a number from 1 to 1024\\.\n$");
  EXPECT_EXIT(
      read({"--slots", "0"}, Program::scheduler), testing::ExitedWithCode(2),
      "^postern-scheduler: slots = \"0\" is wrong: it must be a number from 1 to 10000\\.\n$");
  EXPECT_EXIT(read({}, Program::fcgi, "/nowhere/at.all"), testing::ExitedWithCode(2),
              "/nowhere/at.all");
  EXPECT_EXIT(read({"--frob"}), testing::ExitedWithCode(2), "--frob");
}

TEST(ReadSettings, RefusesNonLoopbackAddressesWithoutUnsafeBind) {
  for (const char* address : {"0.0.0.0:9000", "10.0.0.1:9000", "[::]:9000", "[2001:db8::1]:9"}) {
    EXPECT_EXIT(read({"--listen", address}), testing::ExitedWithCode(2), "--unsafe-bind");
    EXPECT_EQ(read({"--unsafe-bind", "--listen", address}).listen, address);
  }
}

TEST(ReadSettings, ExitsWith0WhenAskedForHelpVersionOrACheck) {
  const testing::ExitedWithCode well(0);
  EXPECT_EXIT(read_and_tell({"--help"}), well, "--idle-exit DURATION .0.");
  EXPECT_EXIT(read_and_tell({"--version"}), well, "^postern-fcgi " POSTERN_VERSION "\n$");
  EXPECT_EXIT(read_and_tell({"--check-config"}), well, "^ok\n$");
}

}  // namespace
}  // namespace postern
