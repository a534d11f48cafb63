#include "core/model/cell.h"

#include <algorithm>
#include <array>
#include <string>

#include <fmt/format.h>

namespace postern {
namespace {

constexpr std::array<std::string_view, 4> kMapWords{"default", "hostnames", "include", "volatile"};

}  // namespace

Result<void> check_cell_label(std::string_view label, std::string_view field) {
  const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  if (label.empty() || label.size() > kCellLabelMost || !std::ranges::all_of(label, fits)) {
    return invalid("cell_invalid", std::string(field),
                   fmt::format("{} must be the label of a cell: 1 to {} characters of a-z and 0-9.",
                               field, kCellLabelMost));
  }
  if (std::ranges::find(kMapWords, label) != kMapWords.end()) {
    return invalid(
        "cell_invalid", std::string(field),
        fmt::format("{} cannot be \"{}\", which has a meaning of its own in nginx's maps.", field,
                    label));
  }
  return {};
}

}  // namespace postern
