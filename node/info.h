/* node/info.h - what INFO and RF.STATUS say of this node: text from counters, without side
 * effects.
 *
 * INFO has Redis's sections with the fields that tools read (what has no meaning here is left
 * out, or 0 where its absence breaks a tool), and a section of our own. Only for the command
 * files. */
#pragma once

#include "node/command.h"

enum info_section {
    INFO_SERVER = 1 << 0,
    INFO_CLIENTS = 1 << 1,
    INFO_MEMORY = 1 << 2,
    INFO_PERSISTENCE = 1 << 3,
    INFO_STATS = 1 << 4,
    INFO_REPLICATION = 1 << 5,
    INFO_CPU = 1 << 6,
    INFO_MODULES = 1 << 7,
    INFO_COMMANDSTATS = 1 << 8,
    INFO_ERRORSTATS = 1 << 9,
    INFO_LATENCYSTATS = 1 << 10,
    INFO_CLUSTER = 1 << 11,
    INFO_KEYSPACE = 1 << 12,
    INFO_RINGFORT = 1 << 13,
};

/* The sections that words name ("default", "all", "everything" included); unknown ones are none. */
unsigned info_sections(const struct bytes *words, uint32_t count);
/* Append the sections. `counts` may be NULL: the keys are not known just now. */
void info_put(struct clients *clients, enum face face, unsigned sections,
              const struct count_result *counts, struct buf *out);
/* The cluster as this node sees it, for people and as JSON. */
void info_put_status(struct clients *clients, struct buf *out);
void info_put_status_json(struct clients *clients, struct buf *out);
