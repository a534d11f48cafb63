// The engine as a whole: whether it delivers.
#pragma once

#include "db/pg/connection.h"

namespace postern::db {

// While it is paused nothing is claimed and no schedule fires, whatever the number of schedulers;
// tasks are taken in and wait. In force for each claim that begins afterwards.
void pause_engine(PgConnection& connection, bool paused);
bool engine_paused(PgConnection& connection);

}  // namespace postern::db
