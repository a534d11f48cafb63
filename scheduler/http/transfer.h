// One HTTP transfer of HttpClient: sets up its request in libcurl and interprets its end. Internal:
// only this folder includes it.
#pragma once

#include <curl/curl.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "scheduler/http/client.h"
#include "scheduler/http/resolver.h"
#include "scheduler/http/socket_set.h"

namespace postern::scheduler {

// Many servers close an idle connection after 5 s (Node's default); a request that is sent at that
// moment is lost. libcurl counts whole seconds, so 3 means less than 4.
inline constexpr long kMaxIdleSeconds = 3;

inline constexpr Milliseconds kConnectTimeout{5000};

inline constexpr char kEgressDenied[] = "address not allowed by the egress policy";
inline constexpr char kPortDenied[] = "port not allowed by the egress policy";

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
struct FreeEasy {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct FreeShare {
  void operator()(CURLSH* share) const { curl_share_cleanup(share); }
};
using SList = std::unique_ptr<curl_slist, FreeList>;

// One request under way. The object is reused, because an easy handle is expensive to create.
class Transfer {
 public:
  using Clock = std::chrono::steady_clock;

  // All must outlive the transfer. `sent` gets the ids of those that have let go of their body.
  Transfer(const HttpClient::Options& options, const AddressPolicy& policy, SocketSet& sockets,
           std::vector<std::uint64_t>& sent);
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  // Takes the request; its timeout runs from this call.
  void begin(std::uint64_t id, OutgoingRequest request);
  // Makes the easy handle ready to be added to a multi handle. `addresses` are those of the host;
  // nullptr when the host is itself an address.
  void prepare(const Addresses* addresses);

  // Returns the result; afterwards the transfer can begin() again.
  HttpResult end(CURLcode code);
  HttpResult end(HttpResult::Kind kind, std::string error);

  std::uint64_t id() const { return id_; }
  const OutgoingRequest& request() const { return request_; }
  Clock::time_point deadline() const { return started_ + request_.timeout; }
  // Whether the request has been given to a connection.
  bool sent() const { return sent_; }
  // Whether it was not sent, because the kept connection that libcurl chose may carry nothing more.
  // It is to be started once more, with a new one.
  bool found_unfit() const { return found_unfit_; }
  // After prepare(): it will not be sent over a kept connection.
  void take_new_connection();
  // Whether the receiver's bytes cannot be told apart: some followed an answer, or what came is no
  // HTTP answer.
  bool mixed_up(CURLcode code) const;
  // A hash of what a connection must lead to if the request is to go over it.
  std::size_t origin() const { return origin_; }
  CURL* easy() { return easy_.get(); }

  // Set by those who own the transfer and give it to libcurl.
  std::size_t place = 0;  // in the list of running transfers
  void* group = nullptr;  // of the multi handle
  bool keeps_connection = true;

 private:
  using Verdict = std::pair<HttpResult::Kind, std::string>;

  // Callbacks of libcurl; noexcept, because an exception must not unwind frames of C.
  static curl_socket_t open_socket(void*, curlsocktype, curl_sockaddr*) noexcept;
  static int before_send(void*, char*, char*, int, int) noexcept;
  static std::size_t read_body(char*, std::size_t, std::size_t, void*) noexcept;
  static std::size_t on_header(char*, std::size_t, std::size_t, void*) noexcept;
  static std::size_t on_body(char*, std::size_t, std::size_t, void*) noexcept;

  bool is_fit(const char* address, const std::string& ends);
  void set_headers(bool with_body);
  void pin(const Addresses& addresses);

  Verdict verdict(CURLcode code) const;
  Verdict timeout_verdict() const;
  std::string connect_error() const;
  std::string partial_answer() const;
  bool is_complete() const;
  int status() const;
  curl_off_t announced_length() const;

  const AddressPolicy& policy_;
  SocketSet& sockets_;
  const std::vector<std::string>& read_headers_;
  std::vector<std::uint64_t>& sent_ids_;
  std::uint64_t id_ = 0;
  OutgoingRequest request_;
  HttpResult result_;
  Clock::time_point started_;
  std::size_t origin_ = 0;

  int addresses_denied_ = 0;
  std::vector<int> opened_;  // sockets; none: the connection was used before
  int socket_error_ = 0;     // errno of socket(), for example when no descriptor is left
  bool found_unfit_ = false;
  bool mixed_up_ = false;
  bool sent_ = false;
  bool answer_begun_ = false;  // the final answer's headers are complete
  bool answer_cut_ = false;    // Postern cut the answer for its length
  std::size_t given_ = 0;      // bytes of a large body that libcurl has
  std::size_t received_ = 0;   // bytes of the answer's body
  std::size_t header_bytes_ = 0;
  std::array<char, CURL_ERROR_SIZE> curl_error_{};

  SList headers_, pins_;
  std::string pinned_host_, pin_;
  Addresses pinned_;      // of pinned_host_
  bool by_name_ = false;  // whether the request's host is pinned_host_
  // libcurl's DNS cache, into which pin() puts the host's addresses. Each transfer has its own: in
  // the one that transfers share by default, entries stay for ever or vanish while a transfer still
  // needs them.
  std::unique_ptr<CURLSH, FreeShare> dns_cache_{curl_share_init()};
  std::unique_ptr<CURL, FreeEasy> easy_{curl_easy_init()};
};

}  // namespace postern::scheduler
