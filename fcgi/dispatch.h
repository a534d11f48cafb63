// One request's way: which dialect it speaks, who asks, which route it takes, and the answer.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "fcgi/api/concurrency_limit.h"
#include "fcgi/api/use_cases.h"
#include "fcgi/auth/admission.h"
#include "fcgi/dialects/table.h"
#include "fcgi/server/http.h"

namespace postern {

// Thread-safe.
class Dispatch {
 public:
  struct Options {
    AdmissionRules admission = {};
    std::size_t max_body = 512 * 1024;
    // How many connections there are in Pools::reads and Pools::rest.
    int reads = 4;
    int rest = 8;
    // Runs work that had to wait for its turn; absent: on the thread that has made room for it.
    std::function<void(std::function<void()>)> run = {};
  };

  // What `use` refers to must outlive it.
  Dispatch(const UseCases& use, Options options);

  // Answers one request, whatever it is and whatever happens, now or later. One whose tenant has
  // its share of the places (Cost) waits for its turn, without a thread; when too many of the
  // tenant's do, it is refused: `rate_limited`. Any thread.
  void answer(const HttpRequest& request, const Reply& reply) const;

  // How large the body of this request may be, in bytes.
  std::size_t max_body(const HttpRequest& request) const;

 private:
  // Where requests of one Cost have their places; with the error for a tenant whose line is full.
  struct Turns {
    ConcurrencyLimit limit;
    const char* reason;
    const char* what;
    Error refusal() const;
  };

  Turns* turns_of(Cost cost) const;

  const UseCases use_;
  const Options options_;
  std::vector<const Route*> large_;  // the routes that take more than others
  mutable Turns changes_, reads_, sweeps_;
};

}  // namespace postern
