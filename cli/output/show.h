// Objects of the API as `postern` prints them: with --json the API's own JSON, for people tables
// and "name: value" lines. Nothing in a value can steer a terminal.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/output/json.h"

namespace postern::admin {

struct Context;

// A column of a table of objects.
struct Column {
  const char* heading;
  std::string_view field;  // of the object, as "depth.ready"; several, with "|": the first it has
  int rank = 1;            // of two columns the one with the higher rank goes first
  std::size_t least = 0;   // how narrow it may be made before others go; 0: never cut
};

// One value for people: a string without its quotes, yes and no, a number with its unit, a time in
// the local zone.
enum class Room { table, line };
std::string shown_value(std::string_view name, std::string_view raw, Room room = Room::line);

// A table of the objects, as wide as the terminal or 80 columns, all of it with --wide. With --json
// an array of the objects as they are.
void print_objects(const std::vector<std::string>& objects, std::span<const Column> columns,
                   const Context& context);

// The object in lines, or with --json as it is. Members of an object within are lines of their own.
void print_object(std::string_view json, const Context& context);
void print_lines(const JsonObject& object, std::string_view prefix = {});

// What is said to people when stats say that the engine is paused.
inline constexpr char kEnginePaused[] =
    "The engine is paused: nothing is delivered until `postern resume --all`.";

// A sentence for people; nothing with --json.
void say(const Context& context, const std::string& sentence);

// `text`, which has no controls, in the colour of a status where that is wanted.
std::string coloured(std::string_view text);

}  // namespace postern::admin
