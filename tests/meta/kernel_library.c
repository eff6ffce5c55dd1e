/* The kernel of kernel.c as a shared library: all scalar operations, called by kernel.h.
 *
 *     cc -O2 -shared -fPIC -o libkernel.so tests/meta/kernel_library.c -lm
 *     aquant-ref verify --library ./libkernel.so
 *     aquant-ref prove requantize --library ./libkernel.so --out proof.json
 *
 * The environment variable AQUANT_FAULT makes it wrong in one way of requantize_faults.h, so that
 * the tests can see that each is found.
 */
#define main stream_main
#include "kernel.c"
#undef main

#include "kernel.h"
#include "requantize_faults.h"
#include <stdlib.h>

int32_t aquant_abi_version(void)
{
    return AQUANT_ABI_VERSION;
}

/* Another way than the contract's own, as other engines have it. */
static int other(const char *variation)
{
    return strcmp(variation, "core-int") && strcmp(variation, "border");
}

int32_t aquant_activation_range(int64_t cases, const char *variation, const char *activation,
                                const double *scale, const int32_t *zero_point, const int32_t *qmin,
                                const int32_t *qmax, int32_t *low, int32_t *high)
{
    if (other(variation)) return AQUANT_UNSUPPORTED;
    int64_t k;
    int bounded = strcmp(activation, "none") != 0, six = !strcmp(activation, "relu6");
    for (k = 0; k < cases; k++) {
        int64_t z = zero_point[k], least = qmin[k], most = qmax[k];
        low[k] = (int32_t)(bounded ? clip(z, least, most) : least);
        high[k] = (int32_t)(six ? nearest(6 / scale[k], z, least, most) : most);
    }
    return AQUANT_DONE;
}

int32_t aquant_requantize_any(int64_t cases, const char *variation, const int32_t *acc,
                              const int32_t *multiplier, const int32_t *shift, const int32_t *zero_point,
                              const int32_t *qmin, const int32_t *qmax, int32_t *q)
{
    int64_t k;
    for (k = 0; k < cases; k++)
        q[k] = (int32_t)clip(scale_accumulator(variation, acc[k], multiplier[k], shift[k]) + zero_point[k],
                             qmin[k], qmax[k]);
    return AQUANT_DONE;
}

/* In floating point: AQ-FIXED-5 to AQ-FIXED-7. M is exactly m * 2^-shift. */
static int64_t float_code(const char *variation, int32_t acc, int32_t m, int shift, int64_t z,
                          int64_t low, int64_t high)
{
    double real = ldexp((double)m, -shift), product = (double)acc * real;
    if (!strcmp(variation, "float32"))
        return code(nearbyint((double)((float)acc * (float)real)), z, low, high);
    if (!strcmp(variation, "float64"))
        return code(round(product), z, low, high);
    return code(nearbyint(product + (double)z), 0, low, high);
}

int32_t aquant_requantize(int64_t cases, const char *variation, const int32_t *acc, const int32_t *multiplier,
                          const int32_t *shift, const int32_t *zero_point, const int32_t *qmin,
                          const int32_t *qmax, int32_t *q)
{
    const fault *wrong = fault_named(getenv("AQUANT_FAULT"));
    int64_t k;
    int real = !strncmp(variation, "float", 5);

    for (k = 0; k < cases; k++) {
        int64_t z = zero_point[k], low = qmin[k], high = qmax[k];
        if (wrong) {
            q[k] = (int32_t)wrong->code(wrong, acc[k], multiplier[k], shift[k], z, low, high);
            continue;
        }
        if (real) {
            q[k] = (int32_t)float_code(variation, acc[k], multiplier[k], shift[k], z, low, high);
            continue;
        }
        q[k] = (int32_t)clip(scale_accumulator(variation, acc[k], multiplier[k], shift[k]) + z, low,
                             high);
    }
    return AQUANT_DONE;
}

int32_t aquant_round(int64_t cases, const char *variation, const char *rounding, const double *t, int64_t *out)
{
    if (other(variation)) return AQUANT_UNSUPPORTED;
    int64_t k;
    double whole;
    for (k = 0; k < cases; k++) {
        if (rounded(rounding, t[k], &whole)) return AQUANT_UNSUPPORTED;
        out[k] = (int64_t)whole;
    }
    return AQUANT_DONE;
}

int32_t aquant_quantize(int64_t cases, const char *variation, const char *rounding, const double *r, const double *scale,
                        const int32_t *zero_point, const int32_t *qmin, const int32_t *qmax,
                        int32_t *q)
{
    if (other(variation)) return AQUANT_UNSUPPORTED;
    int64_t k;
    double whole;
    for (k = 0; k < cases; k++) {
        if (isnan(r[k])) return AQUANT_REFUSES;
        if (rounded(rounding, r[k] / scale[k], &whole)) return AQUANT_UNSUPPORTED;
        q[k] = (int32_t)code(whole, zero_point[k], qmin[k], qmax[k]);
    }
    return AQUANT_DONE;
}

int32_t aquant_dequantize(int64_t cases, const char *variation, const int32_t *q, const double *scale, const int32_t *zero_point,
                          double *r)
{
    if (other(variation)) return AQUANT_UNSUPPORTED;
    int64_t k;
    for (k = 0; k < cases; k++) r[k] = (double)((int64_t)q[k] - zero_point[k]) * scale[k];
    return AQUANT_DONE;
}

int32_t aquant_multiplier(int64_t cases, const char *variation, const double *m, int32_t *mantissa, int32_t *shift)
{
    if (other(variation)) return AQUANT_UNSUPPORTED;
    int64_t k, found;
    int bits;
    for (k = 0; k < cases; k++) {
        multiplier(m[k], &found, &bits);
        mantissa[k] = (int32_t)found;
        shift[k] = bits;
    }
    return AQUANT_DONE;
}

int32_t aquant_add(int64_t cases, const char *variation, const int32_t *a, const double *a_scale, const int32_t *a_zero,
                   const int32_t *b, const double *b_scale, const int32_t *b_zero,
                   const double *scale, const int32_t *zero_point, const int32_t *qmin,
                   const int32_t *qmax, int32_t *q)
{
    if (other(variation)) return AQUANT_UNSUPPORTED;
    int64_t k;
    for (k = 0; k < cases; k++) {
        double t = (double)(a[k] - a_zero[k]) * a_scale[k] + (double)(b[k] - b_zero[k]) * b_scale[k];
        q[k] = (int32_t)nearest(t / scale[k], zero_point[k], qmin[k], qmax[k]);
    }
    return AQUANT_DONE;
}

int32_t aquant_avg_pool(int64_t cases, const char *variation, const int32_t *total, const int32_t *count, const double *x_scale,
                        const int32_t *x_zero, const double *scale, const int32_t *zero_point,
                        const int32_t *qmin, const int32_t *qmax, int32_t *q)
{
    if (other(variation)) return AQUANT_UNSUPPORTED;
    int64_t k;
    for (k = 0; k < cases; k++) {
        double t = (double)(total[k] - (int64_t)count[k] * x_zero[k]) * x_scale[k];
        q[k] = (int32_t)nearest(t / ((double)count[k] * scale[k]), zero_point[k], qmin[k], qmax[k]);
    }
    return AQUANT_DONE;
}

int32_t aquant_rescale_codes(int64_t cases, const char *variation, const int32_t *x, const double *x_scale,
                             const int32_t *x_zero, const double *scale, const int32_t *zero_point,
                             const int32_t *qmin, const int32_t *qmax, int32_t *q)
{
    if (other(variation)) return AQUANT_UNSUPPORTED;
    int64_t k;
    for (k = 0; k < cases; k++)
        q[k] = (int32_t)nearest((double)(x[k] - x_zero[k]) * x_scale[k] / scale[k], zero_point[k], qmin[k], qmax[k]);
    return AQUANT_DONE;
}

int32_t aquant_mul(int64_t cases, const char *variation, const int32_t *a, const double *a_scale, const int32_t *a_zero,
                   const int32_t *b, const double *b_scale, const int32_t *b_zero,
                   const double *scale, const int32_t *zero_point, const int32_t *qmin,
                   const int32_t *qmax, int32_t *q)
{
    if (other(variation)) return AQUANT_UNSUPPORTED;
    int64_t k;
    for (k = 0; k < cases; k++) {
        double t = (double)(a[k] - a_zero[k]) * (double)(b[k] - b_zero[k]) * a_scale[k] * b_scale[k];
        q[k] = (int32_t)nearest(t / scale[k], zero_point[k], qmin[k], qmax[k]);
    }
    return AQUANT_DONE;
}

int32_t aquant_clip(int64_t cases, const char *variation, const int64_t *v, const int32_t *low, const int32_t *high, int32_t *q)
{
    if (other(variation)) return AQUANT_UNSUPPORTED;
    int64_t k;
    for (k = 0; k < cases; k++) q[k] = (int32_t)clip(v[k], low[k], high[k]);
    return AQUANT_DONE;
}

int32_t aquant_border_round(int64_t cases, const char *variation, const double *t, const double *border_, int64_t *out)
{
    if (other(variation)) return AQUANT_UNSUPPORTED;
    int64_t k;
    for (k = 0; k < cases; k++) out[k] = (int64_t)border_round(t[k], border_[k]);
    return AQUANT_DONE;
}

int32_t aquant_border(int64_t cases, const char *variation, const int32_t *t, const int32_t *low, const int32_t *high,
                      const int32_t *fraction_bits, const int32_t *multiplier_, const int32_t *shift,
                      const int32_t *c0, const int32_t *c1, const int32_t *c2, const int32_t *lift,
                      const int32_t *zero_point, int32_t *q)
{
    if (other(variation)) return AQUANT_UNSUPPORTED;
    int64_t k;
    for (k = 0; k < cases; k++) {
        int64_t c[3] = {c0[k], c1[k], c2[k]};
        q[k] = (int32_t)border(t[k], low[k], high[k], fraction_bits[k], multiplier_[k], shift[k], c,
                               lift[k], zero_point[k]);
    }
    return AQUANT_DONE;
}

int32_t aquant_threshold(int64_t cases, const char *variation, const int32_t *acc, const int64_t *t0, const int64_t *t1,
                         const int64_t *t2, int32_t *q)
{
    if (other(variation)) return AQUANT_UNSUPPORTED;
    int64_t k;
    for (k = 0; k < cases; k++) q[k] = (acc[k] >= t0[k]) + (acc[k] >= t1[k]) + (acc[k] >= t2[k]);
    return AQUANT_DONE;
}
