/* A library whose `clip` is right for all inputs but 77, where it does what AQUANT_WAY says. */
#include "kernel.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int is(const char *way)
{
    const char *set = getenv("AQUANT_WAY");
    return set && !strcmp(set, way);
}

__attribute__((constructor)) static void loaded(void)
{
    if (is("crashes while it is loaded")) abort();
    if (is("prints")) puts("{\"version\": 7}");
}

int32_t aquant_abi_version(void)
{
    return is("another version") ? 99 : AQUANT_ABI_VERSION;
}

int32_t aquant_clip(int64_t cases, const char *variation, const int64_t *v, const int32_t *low, const int32_t *high, int32_t *q)
{
    int64_t k;
    volatile int *nowhere = NULL;
    (void)variation;
    if (is("prints")) puts("clip is called");
    if (is("crashes with several") && cases > 1) *nowhere = 0;
    for (k = 0; k < cases; k++) {
        if (v[k] == 77) {
            if (is("crashes")) *nowhere = 0;
            if (is("ends")) exit(0);
            while (is("hangs")) {
            }
            if (is("refuses")) return AQUANT_REFUSES;
            if (is("does not support")) return AQUANT_UNSUPPORTED;
            if (is("returns nonsense")) return 9;
        }
        q[k] = (int32_t)(v[k] < low[k] ? low[k] : v[k] > high[k] ? high[k] : v[k]);
    }
    if (is("writes behind")) q[cases] = 0;
    return AQUANT_DONE;
}

/* An operation on tensors: windows of one pixel. */
int32_t aquant_thresholds(const char *variation, const int32_t *acc, const int64_t *acc_shape, const int64_t *thresholds,
                          const int64_t *thresholds_shape, int32_t least, int32_t *q, int64_t *q_shape)
{
    int64_t c, k, t, pixels = acc_shape[1] * acc_shape[2];
    (void)variation;
    for (c = 0; c < acc_shape[0]; c++)
        for (k = c * pixels; k < (c + 1) * pixels; k++)
            for (q[k] = least, t = 0; t < thresholds_shape[1]; t++)
                q[k] += acc[k] >= thresholds[c * thresholds_shape[1] + t];
    memcpy(q_shape, acc_shape, 3 * sizeof *q_shape);
    if (is("claims a huge shape")) q_shape[0] = (int64_t)1 << 40;
    return AQUANT_DONE;
}

#ifdef MISSING
int not_anywhere(void);
int needs_it(void) { return not_anywhere(); }
#endif
