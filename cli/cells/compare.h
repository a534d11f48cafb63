// The settings that two cells are to have alike.
#pragma once

#include <string>
#include <vector>

#include "cli/cells/cells.h"

namespace postern::admin {

struct Comparison {
  std::vector<std::string> differences;  // a sentence each
  std::string unknown;                   // one that names what was not compared; empty: nothing
};

// What both are known to have. Of the rest nothing is said but that it was not compared. REQUIRES:
// neither has a complaint.
Comparison compare(const Cell& cell, const Cell& other);

}  // namespace postern::admin
