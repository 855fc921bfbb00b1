#include "node/command.h"

#include "base/mutant.h"

/* Helpers of handlers: arguments, operations, and the words for outcomes. */

enum run command_syntax_error(struct invocation *in)
{
    reply_error(&in->reply, "ERR syntax error");
    return RUN_REPLIED;
}

bool command_i64(struct invocation *in, struct bytes text, int64_t *out)
{
    if (!bytes_to_i64(text, out)) {
        reply_error(&in->reply, "ERR value is not an integer or out of range");
        return false;
    }
    return true;
}

struct bytes command_word(const struct invocation *in, uint32_t index)
{
    return index < in->argc ? in->argv[index] : (struct bytes){NULL, 0};
}

const struct view *clients_view(struct clients *clients)
{
    return clients->io.view(clients->io.context);
}

struct op command_op_on(const struct call *call, enum op_kind kind, struct bytes key)
{
    return (struct op){
        .kind = kind,
        .one_round = call->terms.one_round,
        .r = call->terms.r,
        .w = call->terms.w,
        .timeout_ms = call->terms.timeout_ms,
        .key = key,
    };
}

struct op command_op(struct invocation *in, enum op_kind kind)
{
    ASSERT(in->keyed);
    return command_op_on(in->call, kind, in->key);
}

static void reply_siblings_error(struct reply *reply)
{
    reply_error(reply, "ERR too many siblings: this key holds as many concurrent versions as "
                       "siblings-max allows; read them with RF.GET and write with that context; "
                       "nothing was written");
}

bool command_outcome(struct reply *reply, const struct op_result *result, bool write)
{
    switch (result->outcome) {
    case OUTCOME_DONE:
        return true;
    case OUTCOME_NO_QUORUM:
        reply_error_printf(reply, "TRYAGAIN no quorum: %u of %u owners of slot %u reachable",
                           result->got, result->needed, result->slot);
        return false;
    case OUTCOME_UNCERTAIN:
        if (write && !MUTANT(timeout_means_failed)) {
            reply_error_printf(reply,
                               "UNCERTAIN %u of %u acknowledgements in %u ms; the write may still "
                               "take effect",
                               result->got, result->needed, result->waited_ms);
        } else { /* A read changes nothing: asking again is safe. */
            reply_error_printf(reply, "TRYAGAIN %u of %u owners of slot %u answered in %u ms",
                               result->got, result->needed, result->slot, result->waited_ms);
        }
        return false;
    case OUTCOME_BUSY:
        reply_error(reply, "BUSY too many operations in flight; nothing was applied");
        return false;
    case OUTCOME_UNREADABLE:
        reply_error_printf(reply,
                           "TRYAGAIN unreadable: %u of %u owners of slot %u can read their copy",
                           result->got, result->needed, result->slot);
        return false;
    case OUTCOME_TOO_MANY_SIBLINGS:
        reply_siblings_error(reply);
        return false;
    }
    return false;
}

void command_note_write(struct call *call, const struct op_result *result)
{
    struct session *session = call->session;

    if (session == NULL) {
        return;
    }
    const struct view *view = clients_view(call->clients);
    /* While there are fewer members than n, w follows them and not the request. */
    bool shrunk = view->n < call->clients->options->n;
    unsigned acks = shrunk || call->terms.w == 0 ? view->w : MIN((unsigned)call->terms.w, view->n);
    session->wrote = true;
    session->acked_others = result->outcome == OUTCOME_DONE && acks > 0 ? (uint8_t)(acks - 1) : 0;
}
