#include "node/info.h"

/* INFO and RF.STATUS as commands. INFO with its keyspace asks for the counts of keys first. */

enum { INFO_TEXT_MAX = 64 * 1024 * 1024 };

static void reply_info(struct call *call, enum face face, const struct count_result *counts)
{
    struct reply reply = call_reply(call);
    struct buf text;

    buf_init(&text, INFO_TEXT_MAX);
    info_put(call->clients, face, call->sections, counts, &text);
    reply_verbatim(&reply, buf_bytes(&text));
    buf_release(&text);
}

static void on_counted(struct call *call, const struct count_result *result)
{
    if (call->session != NULL) {
        reply_info(call, call->session->face, result);
    }
    call_finish(call);
}

enum run run_info(struct invocation *in)
{
    struct call *call = in->call;

    call->sections = info_sections(in->argv + 1, in->argc - 1);
    if ((call->sections & INFO_KEYSPACE) != 0 && clients_view(in->clients)->serving) {
        call->on_counted = on_counted;
        call_count(call, in->clients->options->request_timeout_ms);
        return RUN_STARTED;
    }
    reply_info(call, in->session->face, NULL);
    return RUN_REPLIED;
}

enum run run_rf_status(struct invocation *in)
{
    bool json = in->argc == 2 && bytes_equal_nocase(in->argv[1], "JSON");
    struct buf text;

    if (in->argc > 1 && !json) {
        return command_syntax_error(in);
    }
    buf_init(&text, INFO_TEXT_MAX);
    if (json) {
        info_put_status_json(in->clients, &text);
    } else {
        info_put_status(in->clients, &text);
    }
    reply_verbatim(&in->reply, buf_bytes(&text));
    buf_release(&text);
    return RUN_REPLIED;
}
