// One HTTP transfer of HttpClient: how its request is put to libcurl, and what its end means.
// Included by http_client.cpp only.
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

namespace postern::scheduler {

inline constexpr char kEgressDenied[] = "address not allowed by the egress policy";

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

// One request on its way. Used again and again, because an easy handle is dear to make.
class Transfer {
 public:
  using Clock = std::chrono::steady_clock;

  // Both must outlive the transfer.
  Transfer(const HttpClient::Options& options, const AddressPolicy& policy);
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  // The time runs from here.
  void begin(std::uint64_t id, HttpRequest request);
  // Makes the easy handle ready to be added. `addresses` are those of the host; nullptr: it is an
  // address.
  void prepare(const Addresses* addresses);

  // The result. The transfer is free for another begin() then.
  HttpResult end(CURLcode code);
  HttpResult end(HttpResult::Kind kind, std::string error);

  std::uint64_t id() const { return id_; }
  const HttpRequest& request() const { return request_; }
  Clock::time_point deadline() const { return started_ + request_.timeout; }
  CURL* easy() { return easy_.get(); }
  std::size_t place = 0;  // its owner's: where it stands among those that run

 private:
  using Verdict = std::pair<HttpResult::Kind, std::string>;

  // Called by libcurl. An exception would unwind frames of C, hence noexcept.
  static curl_socket_t open_socket(void*, curlsocktype, curl_sockaddr*) noexcept;
  static int before_send(void*, char*, char*, int, int) noexcept;
  static std::size_t on_header(char*, std::size_t, std::size_t, void*) noexcept;
  static std::size_t on_body(char*, std::size_t, std::size_t, void*) noexcept;

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
  const std::vector<std::string>& read_headers_;
  std::uint64_t id_ = 0;
  HttpRequest request_;
  HttpResult result_;
  Clock::time_point started_;

  int addresses_denied_ = 0;
  int sockets_opened_ = 0;
  int socket_error_ = 0;       // of our own side: no descriptor left, and the like
  bool sent_ = false;          // the request has been given to a connection
  bool answer_begun_ = false;  // the final answer's headers are whole
  bool answer_cut_ = false;    // by us, for its length
  std::size_t received_ = 0;   // of the body
  std::size_t header_bytes_ = 0;
  std::array<char, CURL_ERROR_SIZE> curl_error_{};

  SList headers_, pins_;
  std::string pinned_host_, pin_;
  // A name's addresses go into libcurl's DNS cache. Each transfer has one of its own: in the one
  // that transfers share by default, entries stay for ever or vanish under a transfer that still
  // needs them.
  std::unique_ptr<CURLSH, FreeShare> dns_cache_{curl_share_init()};
  std::unique_ptr<CURL, FreeEasy> easy_{curl_easy_init()};
};

}  // namespace postern::scheduler
