// What holds for the table of every described object.
#pragma once

#include <set>
#include <string_view>

#include <gtest/gtest.h>

#include "core/wire/fields.h"

namespace postern {

// Each field has a name of its own and a way to be written.
template <class T>
void expect_a_proper_table(wire::Fields<T> fields) {
  std::set<std::string_view> names;
  for (const auto& field : fields) {
    EXPECT_FALSE(field.name.empty());
    EXPECT_TRUE(names.insert(field.name).second) << field.name << " is there twice";
    EXPECT_NE(field.write, nullptr) << field.name;
  }
}

}  // namespace postern
