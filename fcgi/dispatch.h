// One request's way: which dialect it speaks, who asks, which route it takes, and the answer.
#pragma once

#include <cstddef>
#include <vector>

#include "fcgi/api/use_cases.h"
#include "fcgi/dialects/table.h"
#include "fcgi/server/http.h"

namespace postern {

// Thread-safe.
class Dispatch {
 public:
  struct Options {
    bool require_identity = true;  // false: whoever comes is an admin
    std::size_t max_body = 512 * 1024;
  };

  // What `use` refers to must outlive it.
  Dispatch(const UseCases& use, Options options);

  // Answers one request, whatever it is and whatever happens, now or later. Any thread.
  void answer(const HttpRequest& request, const Reply& reply) const;

  // How large the body of this request may be, in bytes.
  std::size_t max_body(const HttpRequest& request) const;

 private:
  const UseCases use_;
  const Options options_;
  std::vector<const Route*> large_;  // the routes that take more than others
};

}  // namespace postern
