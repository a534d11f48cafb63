// All use-cases, built from the program's options: for main and tests alone.
#pragma once

#include <memory>
#include <string>

#include "core/base/uuid.h"
#include "db/pg/pool.h"
#include "fcgi/api/use_cases.h"

#include "fcgi/api/quotas.h"

namespace postern {

class Intake;

class Assembly {
 public:
  struct Options {
    bool auto_create_queues = true;
    bool allow_create_default = false;  // see QueuesApi::create
    std::string default_queue = {};     // as of CreationApi::Options
    std::string public_url = {};
    int max_waiters = 16;
    int max_streams = 16;
    int max_lists = 1;  // that a tenant may read at the same time
    Quotas::Limits quotas = {};
    Uuid instance = {};
  };

  // `pool` and `intake` must outlive it.
  Assembly(const Options& options, db::Pool& pool, Intake& intake);
  ~Assembly();
  Assembly(const Assembly&) = delete;
  Assembly& operator=(const Assembly&) = delete;

  // As long as the assembly lives.
  const UseCases& use_cases() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace postern
