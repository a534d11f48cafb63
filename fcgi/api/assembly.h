// All use-cases, built from the program's options: for main and tests alone.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "core/base/uuid.h"
#include "fcgi/api/pools.h"
#include "fcgi/api/quotas.h"
#include "fcgi/api/use_cases.h"

namespace postern {

class Intake;

class Assembly {
 public:
  struct Options {
    bool auto_create_queues = true;
    bool allow_create_default = false;  // see QueuesApi::create
    std::string default_queue = {};     // as of CreationApi::Options
    std::string public_url = {};
    std::string cell = {};  // this one's label; empty: there is no other
    bool ready_needs_scheduler = false;
    int max_waiters = 16;
    int max_streams = 16;
    int max_lists = 1;  // of asyncjobs's, that a tenant may read at the same time
    std::chrono::milliseconds health_kept{5000};  // see HealthApi
    Quotas::Limits quotas = {};
    Uuid instance = {};
  };

  // The pools and `intake` must outlive it.
  Assembly(const Options& options, const Pools& pools, Intake& intake);
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
