// asyncjobs's dialect.
#include "fcgi/dialects/dialects.h"

namespace postern {

const DialectTable& asyncjobs() {
  // It has no paths of its own yet and shows everything natively.
  static const DialectTable table = [] {
    DialectTable out = native();
    out.dialect = Dialect::asyncjobs;
    out.routes = {};
    return out;
  }();
  return table;
}

}  // namespace postern
