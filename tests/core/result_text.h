// A Result as text, for tables of expected outcomes.
#pragma once

#include <string>

#include "core/base/error.h"

namespace postern {

// "ok", or the error's reason and field with a space between.
template <class T>
std::string outcome(const Result<T>& result) {
  return result ? "ok" : result.error().reason + " " + result.error().field;
}

}  // namespace postern
