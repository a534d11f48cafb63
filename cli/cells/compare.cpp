#include "cli/cells/compare.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "core/program/file.h"

namespace postern::admin {
namespace {

// nullopt: it cannot be read here.
std::optional<std::string> content(const std::string& file) {
  if (file.empty()) return "";
  return file_content(file);
}

}  // namespace

Comparison compare(const Cell& cell, const Cell& other) {
  Comparison out;
  std::vector<std::string> unknown;
  const auto both_know = [&](const char* name) {
    if (cell.known.contains(name) && other.known.contains(name)) return true;
    unknown.emplace_back(name);
    return false;
  };
  const auto differs = [&](const char* name, const char* harm) {
    out.differences.push_back(
        fmt::format("{} differs from that of {}: {}", name, other.label, harm));
  };
  constexpr char kToken[] = "a token that one takes, the other may not";
  const auto &here = cell.settings, &there = other.settings;
  if (both_know("jwt_audience") && here.jwt_audience != there.jwt_audience) {
    differs("jwt_audience", kToken);
  }
  if (both_know("jwt_require_exp") && here.jwt_require_exp != there.jwt_require_exp) {
    differs("jwt_require_exp", kToken);
  }
  const auto of_files = [&](const char* name, const std::string& file,
                            const std::string& other_file) {
    const auto text = content(file), other_text = content(other_file);
    if (!text || !other_text) {
      out.differences.push_back(
          fmt::format("{} cannot be read by this command, and is not compared: {}", name,
                      text ? other_file : file));
    } else if (*text != *other_text) {
      differs(name, kToken);
    }
  };
  // Where none is named, it may be a credential of the unit's.
  if (both_know("jwt_secret_file")) {
    if (here.jwt_secret_file.empty() || there.jwt_secret_file.empty()) {
      unknown.emplace_back("jwt_secret_file");
    } else {
      of_files("the secret of jwt_secret_file", here.jwt_secret_file, there.jwt_secret_file);
    }
  }
  if (both_know("jwt_keys_file")) {
    of_files("jwt_keys_file", here.jwt_keys_file, there.jwt_keys_file);
  }
  const auto sorted = [](std::vector<std::string> sources) {
    std::ranges::sort(sources);
    return sources;
  };
  if (both_know("operator_sources") &&
      sorted(here.operator_sources) != sorted(there.operator_sources)) {
    differs("operator_sources", "an operator of one may be none in the other");
  }
  if (!unknown.empty()) {
    out.unknown = fmt::format("{}: not compared with {}, since not both are known here: {}",
                              cell.label, other.label, fmt::join(unknown, ", "));
  }
  return out;
}

}  // namespace postern::admin
