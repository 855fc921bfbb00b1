#include "base/err.h"

const char *err_text(enum err err)
{
    switch (err) {
#define X(name, text)                                                                              \
    case name:                                                                                     \
        return text;
        ERR_LIST(X)
#undef X
    }
    return "unknown error";
}
