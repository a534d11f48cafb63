// TaskMQ's dialect.
#include "fcgi/dialects/dialects.h"

namespace postern {

const DialectTable& taskmq() {
  // It has no paths of its own yet and shows everything natively.
  static const DialectTable table = [] {
    DialectTable out = native();
    out.dialect = Dialect::taskmq;
    out.routes = {};
    return out;
  }();
  return table;
}

}  // namespace postern
