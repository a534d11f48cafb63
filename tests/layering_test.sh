#!/bin/sh
# Who may include whom: fails and names each line that breaks a rule of docs/design.md, "Folders".
cd "$(dirname "$0")/.." || exit 1
broken=0

# forbid PATTERN WHY FILE...: no #include of PATTERN in these files
forbid() {
  pattern=$1 why=$2
  shift 2
  if grep -nE "^ *# *include *[<\"]$pattern" "$@"; then
    echo "  ^ $why"
    broken=1
  fi
}
# Sources below the folders given, except the named files.
sources() { find "$1" \( -name '*.cpp' -o -name '*.h' \) | grep -vE "${2:-^$}"; }

forbid '(db|fcgi|scheduler)/' 'core knows nobody' $(sources core)
forbid '(fcgi|scheduler)/' 'db knows core alone' $(sources db)
forbid 'scheduler/' 'fcgi does not know the scheduler' $(sources fcgi)
forbid 'fcgi/' 'the scheduler does not know fcgi' $(sources scheduler)
forbid 'tests/' 'programs do not know their tests' $(sources core) $(sources db) $(sources fcgi) $(sources scheduler)

forbid 'db/' 'a dialect parses and renders; rules and rows are the use-cases'"'" $(sources fcgi/dialects)
forbid '(db/|core/task)' 'the HTTP client knows no tasks' scheduler/http_*.cpp scheduler/http_*.h scheduler/http/resolver.*
forbid 'db/(pg|channel|pool)' 'these decide, without a connection' scheduler/delivery/outcome.* scheduler/delivery/webhook.* scheduler/http/address_policy.*

all=$(for folder in core db fcgi scheduler; do sources $folder; done)
only() {
  forbid "$1" "only $2 includes it" $(echo "$all" | grep -vE "^($2)$")
}
only 'libpq-fe.h' 'db/pg/connection.cpp'
only '(fcgiapp|fcgi_stdio|fastcgi).h' 'fcgi/server/fastcgi.cpp'
only 'curl/' 'scheduler/http_(client|transfer).(cpp|h)'
only 'ares' 'scheduler/http/resolver.cpp'
only 'openssl/' 'core/base/crypto.cpp'
only 'boost/(asio|beast)' 'cli/listen.cpp'
only 'date/tz' 'core/time/zones.cpp'
exit $broken
