// The numbers as Prometheus reads them: its text format, version 0.0.4. Pure.
#pragma once

#include <string>
#include <string_view>

#include "fcgi/api/metrics.h"

namespace postern {

// What the format is called in Content-Type.
inline constexpr char kMetricsType[] = "text/plain; version=0.0.4; charset=utf-8";

// Every family with HELP and TYPE, also those without a sample. `version`: of this program; `cell`:
// the label of this cell, may be empty.
std::string metrics_text(const db::Numbers& numbers, std::string_view version,
                         std::string_view cell);

}  // namespace postern
