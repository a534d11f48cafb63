// Reads untrusted JSON. Boost.JSON validates it (RFC 8259, UTF-8, depth at most 64); a small
// scanner then slices the members of an object out of the text, because Boost silently keeps the
// last of doubled keys and rewrites numbers, while a payload must keep its bytes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"

namespace postern {

constexpr std::size_t kMaxJsonDepth = 64;
// More members than any object has that is read by its fields. Slicing a body of nothing but keys
// would take several times its size.
constexpr std::size_t kMaxJsonMembers = 10'000;

struct JsonMember {
  std::string key;       // decoded
  std::string_view raw;  // the value's own bytes, no white space around; a view of the input
};

// The members of the object that is the whole of `text`, in order. `text` must outlive the result.
// Errors (invalid_argument): "invalid_json" for anything that is not one valid JSON value (empty, a
// byte order mark, trailing bytes, bad UTF-8, NaN, deeper than 64) and for half a surrogate pair in
// a key; in a value it is valid; "object_required" for another kind of value; "duplicate_field" for
// a doubled key of this object (deeper ones are the payload's own affair), with the key as field;
// "too_many_fields" for more than kMaxJsonMembers, of which no more are read. `field` names the
// object when it is itself a field; empty for a whole body.
Result<std::vector<JsonMember>> parse_json_object(std::string_view text,
                                                  std::string_view field = {});

// Reads an object as Go's decoder does, for clients that rely on it: keys are returned in lower
// case, since Go matches fields in any case; of doubled keys all are returned and the last one
// counts; bytes behind the value are ignored. Errors: "invalid_json", "object_required" and
// "too_many_fields".
Result<std::vector<JsonMember>> parse_go_object(std::string_view text);

// Same as parse_json_object, for a value inside a text that was validated before. REQUIRES: `text`
// is valid JSON.
Result<std::vector<JsonMember>> json_members(std::string_view text, std::string_view field = {});

// Whether `text` is one valid JSON value, of any kind and size. Takes no memory for it.
bool is_json(std::string_view text, std::size_t max_depth = kMaxJsonDepth);

// How many bytes of `text` can begin a valid JSON value: where it goes wrong.
std::size_t valid_json_bytes(std::string_view text);

// The first `most` elements of the array `text`, as views of it. REQUIRES: `text` is valid JSON and
// an array.
std::vector<std::string_view> json_elements(std::string_view text,
                                            std::size_t most = std::size_t(-1));

// The kind of a valid JSON value, told by its first byte.
enum class JsonKind { null, boolean, number, string, array, object };
JsonKind json_kind(std::string_view raw);

// The double nearest to a valid JSON number, however many digits or large an exponent it has: an
// infinity beyond what a double holds, zero below, as JavaScript reads it; never NaN.
double json_number(std::string_view raw);

// The decoded text, in UTF-8, of a valid JSON string given with its quotes. Error:
// invalid_argument "invalid_json" for half a surrogate pair, which UTF-8 cannot represent.
Result<std::string> json_string(std::string_view raw, std::string_view field);

}  // namespace postern
