/* The functions that `aquant-ref verify --library` and `aquant-ref prove` call.
 *
 * A library exports aquant_abi_version, and any of the others; what is not there is unsupported.
 *
 *     cc -O2 -shared -fPIC -o libkernel.so kernel_library.c -lm
 *     aquant-ref verify --library ./libkernel.so
 *
 * A scalar operation is called with a number of cases: an array for each field, in the order of the
 * contract, then one for each result. An operation on tensors is called with one case: numbers by
 * value, a pair such as a stride as an array, a tensor as its elements, row-major, and its shape. A
 * result tensor has room for AQUANT_ROOM elements; the function writes them, and their shape.
 * `variation` and `rounding` are texts, the same for all cases of a call. `variation` is one of the
 * operation, such as "exact"; "core-int", "border" or "engine" is the contract's own way.
 *
 * Return AQUANT_DONE, AQUANT_REFUSES for an input outside the contract, or AQUANT_UNSUPPORTED.
 * Where a call with several cases is not done, each case is asked alone. Arrays are aligned for
 * their element type alone. Write nothing but the results.
 */
#ifndef AQUANT_KERNEL_H
#define AQUANT_KERNEL_H

#include <stdint.h>

#define AQUANT_ABI_VERSION 1
#define AQUANT_ROOM 4194304
enum { AQUANT_DONE = 0, AQUANT_REFUSES = 3, AQUANT_UNSUPPORTED = 4 };

#ifdef _WIN32
#define AQUANT_EXPORT __declspec(dllexport)
#else
#define AQUANT_EXPORT __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

AQUANT_EXPORT int32_t aquant_abi_version(void); /* returns AQUANT_ABI_VERSION */

AQUANT_EXPORT int32_t aquant_round(int64_t cases, const char *variation, const char *rounding,
    const double *t, int64_t *n);

AQUANT_EXPORT int32_t aquant_quantize(int64_t cases, const char *variation, const char *rounding,
    const double *r, const double *scale, const int32_t *zero_point, const int32_t *qmin, const
    int32_t *qmax, int32_t *q);

AQUANT_EXPORT int32_t aquant_dequantize(int64_t cases, const char *variation, const int32_t *q,
    const double *scale, const int32_t *zero_point, double *r);

AQUANT_EXPORT int32_t aquant_multiplier(int64_t cases, const char *variation, const double *m,
    int32_t *multiplier, int32_t *shift);

AQUANT_EXPORT int32_t aquant_requantize(int64_t cases, const char *variation, const int32_t *acc,
    const int32_t *multiplier, const int32_t *shift, const int32_t *zero_point, const int32_t
    *qmin, const int32_t *qmax, int32_t *q);

AQUANT_EXPORT int32_t aquant_requantize_any(int64_t cases, const char *variation, const int32_t
    *acc, const int32_t *multiplier, const int32_t *shift, const int32_t *zero_point, const
    int32_t *qmin, const int32_t *qmax, int32_t *q);

AQUANT_EXPORT int32_t aquant_add(int64_t cases, const char *variation, const int32_t *a, const
    double *a_scale, const int32_t *a_zero, const int32_t *b, const double *b_scale, const int32_t
    *b_zero, const double *scale, const int32_t *zero_point, const int32_t *qmin, const int32_t
    *qmax, int32_t *q);

AQUANT_EXPORT int32_t aquant_avg_pool(int64_t cases, const char *variation, const int32_t *total,
    const int32_t *count, const double *x_scale, const int32_t *x_zero, const double *scale, const
    int32_t *zero_point, const int32_t *qmin, const int32_t *qmax, int32_t *q);

AQUANT_EXPORT int32_t aquant_rescale_codes(int64_t cases, const char *variation, const int32_t *x,
    const double *x_scale, const int32_t *x_zero, const double *scale, const int32_t *zero_point,
    const int32_t *qmin, const int32_t *qmax, int32_t *q);

AQUANT_EXPORT int32_t aquant_mul(int64_t cases, const char *variation, const int32_t *a, const
    double *a_scale, const int32_t *a_zero, const int32_t *b, const double *b_scale, const int32_t
    *b_zero, const double *scale, const int32_t *zero_point, const int32_t *qmin, const int32_t
    *qmax, int32_t *q);

AQUANT_EXPORT int32_t aquant_activation_range(int64_t cases, const char *variation, const char
    *activation, const double *scale, const int32_t *zero_point, const int32_t *qmin, const
    int32_t *qmax, int32_t *low, int32_t *high);

AQUANT_EXPORT int32_t aquant_clip(int64_t cases, const char *variation, const int64_t *v, const
    int32_t *low, const int32_t *high, int32_t *q);

AQUANT_EXPORT int32_t aquant_border_round(int64_t cases, const char *variation, const double *t,
    const double *border, int64_t *n);

AQUANT_EXPORT int32_t aquant_border(int64_t cases, const char *variation, const int32_t *t, const
    int32_t *low, const int32_t *high, const int32_t *fraction_bits, const int32_t *multiplier,
    const int32_t *shift, const int32_t *c0, const int32_t *c1, const int32_t *c2, const int32_t
    *lift, const int32_t *zero_point, int32_t *q);

AQUANT_EXPORT int32_t aquant_threshold(int64_t cases, const char *variation, const int32_t *acc,
    const int64_t *t0, const int64_t *t1, const int64_t *t2, int32_t *q);

AQUANT_EXPORT int32_t aquant_conv2d(const char *variation, const int32_t *x, const int64_t
    *x_shape, double x_scale, int32_t x_zero, const int32_t *weight, const int64_t *weight_shape,
    const double *weight_scale, const int64_t *weight_scale_shape, const int32_t *weight_zero,
    const int64_t *weight_zero_shape, const double *bias, const int64_t *bias_shape, const int32_t
    *stride, const int32_t *padding, const int32_t *dilation, int32_t groups, double scale,
    int32_t zero_point, int32_t qmin, int32_t qmax, int32_t *q, int64_t *q_shape);

AQUANT_EXPORT int32_t aquant_depthwise(const char *variation, const int32_t *x, const int64_t
    *x_shape, double x_scale, int32_t x_zero, const int32_t *weight, const int64_t *weight_shape,
    const double *weight_scale, const int64_t *weight_scale_shape, const int32_t *weight_zero,
    const int64_t *weight_zero_shape, const double *bias, const int64_t *bias_shape, const int32_t
    *stride, const int32_t *padding, const int32_t *dilation, double scale, int32_t zero_point,
    int32_t qmin, int32_t qmax, int32_t *q, int64_t *q_shape);

AQUANT_EXPORT int32_t aquant_linear(const char *variation, const int32_t *x, const int64_t
    *x_shape, double x_scale, int32_t x_zero, const int32_t *weight, const int64_t *weight_shape,
    const double *weight_scale, const int64_t *weight_scale_shape, const int32_t *weight_zero,
    const int64_t *weight_zero_shape, const double *bias, const int64_t *bias_shape, double scale,
    int32_t zero_point, int32_t qmin, int32_t qmax, int32_t *q, int64_t *q_shape);

AQUANT_EXPORT int32_t aquant_conv_integer(const char *variation, const int32_t *x, const int64_t
    *x_shape, int32_t x_zero, const int32_t *weight, const int64_t *weight_shape, const int32_t
    *weight_zero, const int64_t *weight_zero_shape, const int32_t *stride, const int32_t *padding,
    const int32_t *dilation, int32_t groups, int32_t *acc, int64_t *acc_shape);

AQUANT_EXPORT int32_t aquant_matmul_integer(const char *variation, const int32_t *a, const int64_t
    *a_shape, const int32_t *a_zero, const int64_t *a_zero_shape, const int32_t *b, const int64_t
    *b_shape, const int32_t *b_zero, const int64_t *b_zero_shape, int32_t *acc, int64_t
    *acc_shape);

AQUANT_EXPORT int32_t aquant_add_tensors(const char *variation, const int32_t *a, const int64_t
    *a_shape, double a_scale, int32_t a_zero, const int32_t *b, const int64_t *b_shape, double
    b_scale, int32_t b_zero, double scale, int32_t zero_point, int32_t qmin, int32_t qmax, int32_t
    *q, int64_t *q_shape);

AQUANT_EXPORT int32_t aquant_avg_pool2d(const char *variation, const int32_t *x, const int64_t
    *x_shape, double x_scale, int32_t x_zero, const int32_t *kernel, const int32_t *stride, const
    int32_t *padding, const int32_t *dilation, int32_t count_padding, double scale, int32_t
    zero_point, int32_t qmin, int32_t qmax, int32_t *q, int64_t *q_shape);

AQUANT_EXPORT int32_t aquant_max_pool2d(const char *variation, const int32_t *x, const int64_t
    *x_shape, const int32_t *kernel, const int32_t *stride, const int32_t *padding, const int32_t
    *dilation, int32_t *q, int64_t *q_shape);

AQUANT_EXPORT int32_t aquant_thresholds(const char *variation, const int32_t *acc, const int64_t
    *acc_shape, const int64_t *thresholds, const int64_t *thresholds_shape, int32_t least, int32_t
    *q, int64_t *q_shape);

AQUANT_EXPORT int32_t aquant_bordered_conv2d(const char *variation, const int32_t *x, const
    int64_t *x_shape, double x_scale, int32_t x_zero, const int32_t *weight, const int64_t
    *weight_shape, const double *weight_scale, const int64_t *weight_scale_shape, const double
    *bias, const int64_t *bias_shape, const int32_t *stride, const int32_t *padding, const int32_t
    *dilation, int32_t groups, int32_t relu, double scale, const double *crossings, const int64_t
    *crossings_shape, int32_t least, int32_t *q, int64_t *q_shape);

AQUANT_EXPORT int32_t aquant_fused_conv2d(const char *variation, const int32_t *u, const int64_t
    *u_shape, int32_t pad_code, const int32_t *codes, const int64_t *codes_shape, const int32_t
    *lift, const int64_t *lift_shape, const int32_t *fusion, const int64_t *fusion_shape, int32_t
    zero, const int32_t *weight, const int64_t *weight_shape, const int32_t *stride, const int32_t
    *padding, const int32_t *dilation, int32_t groups, int32_t *acc, int64_t *acc_shape);

AQUANT_EXPORT int32_t aquant_matmul(const char *variation, const int32_t *a, const int64_t
    *a_shape, double a_scale, int32_t a_zero, const int32_t *b, const int64_t *b_shape, double
    b_scale, int32_t b_zero, double scale, int32_t zero_point, int32_t qmin, int32_t qmax, int32_t
    *q, int64_t *q_shape);

AQUANT_EXPORT int32_t aquant_lookup(const char *variation, const int32_t *x, const int64_t
    *x_shape, const int32_t *table, const int64_t *table_shape, int32_t least, int32_t *q, int64_t
    *q_shape);

AQUANT_EXPORT int32_t aquant_activation(const char *variation, const char *function, const int32_t
    *x, const int64_t *x_shape, double x_scale, int32_t x_zero, double alpha, double scale,
    int32_t zero_point, int32_t qmin, int32_t qmax, int32_t *q, int64_t *q_shape);

AQUANT_EXPORT int32_t aquant_concat(const char *variation, const int32_t *x, const int64_t
    *x_shape, const int32_t *channels, const int64_t *channels_shape, const double *x_scale, const
    int64_t *x_scale_shape, const int32_t *x_zero, const int64_t *x_zero_shape, double scale,
    int32_t zero_point, int32_t qmin, int32_t qmax, int32_t *q, int64_t *q_shape);

AQUANT_EXPORT int32_t aquant_conv2d_batch(const char *variation, const int32_t *x, const int64_t
    *x_shape, double x_scale, int32_t x_zero, const int32_t *weight, const int64_t *weight_shape,
    const double *weight_scale, const int64_t *weight_scale_shape, const int32_t *weight_zero,
    const int64_t *weight_zero_shape, const double *bias, const int64_t *bias_shape, const int32_t
    *stride, const int32_t *padding, const int32_t *dilation, int32_t groups, const char
    *activation, double scale, int32_t zero_point, int32_t qmin, int32_t qmax, int32_t *q, int64_t
    *q_shape);

AQUANT_EXPORT int32_t aquant_depthwise_batch(const char *variation, const int32_t *x, const
    int64_t *x_shape, double x_scale, int32_t x_zero, const int32_t *weight, const int64_t
    *weight_shape, const double *weight_scale, const int64_t *weight_scale_shape, const int32_t
    *weight_zero, const int64_t *weight_zero_shape, const double *bias, const int64_t *bias_shape,
    const int32_t *stride, const int32_t *padding, const int32_t *dilation, const char
    *activation, double scale, int32_t zero_point, int32_t qmin, int32_t qmax, int32_t *q, int64_t
    *q_shape);

AQUANT_EXPORT int32_t aquant_linear_batch(const char *variation, const int32_t *x, const int64_t
    *x_shape, double x_scale, int32_t x_zero, const int32_t *weight, const int64_t *weight_shape,
    const double *weight_scale, const int64_t *weight_scale_shape, const int32_t *weight_zero,
    const int64_t *weight_zero_shape, const double *bias, const int64_t *bias_shape, const char
    *activation, double scale, int32_t zero_point, int32_t qmin, int32_t qmax, int32_t *q, int64_t
    *q_shape);

AQUANT_EXPORT int32_t aquant_add_tensors_batch(const char *variation, const int32_t *a, const
    int64_t *a_shape, double a_scale, int32_t a_zero, const int32_t *b, const int64_t *b_shape,
    double b_scale, int32_t b_zero, const char *activation, double scale, int32_t zero_point,
    int32_t qmin, int32_t qmax, int32_t *q, int64_t *q_shape);

AQUANT_EXPORT int32_t aquant_avg_pool2d_batch(const char *variation, const int32_t *x, const
    int64_t *x_shape, double x_scale, int32_t x_zero, const int32_t *kernel, const int32_t
    *stride, const int32_t *padding, const int32_t *dilation, int32_t count_padding, const char
    *activation, double scale, int32_t zero_point, int32_t qmin, int32_t qmax, int32_t *q, int64_t
    *q_shape);

#ifdef __cplusplus
}
#endif

#endif
