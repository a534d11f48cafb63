// A cell's label: what names it in API keys, in nginx and at the command line.
#pragma once

#include <cstddef>
#include <string_view>

#include "core/base/error.h"

namespace postern {

inline constexpr std::size_t kCellLabelMost = 16;

// 1..16 characters of a-z and 0-9, and no word of nginx's maps, of which cells.map is one; else
// "cell_invalid".
Result<void> check_cell_label(std::string_view label, std::string_view field);

}  // namespace postern
