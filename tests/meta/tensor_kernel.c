/* A kernel for the conformance kit, in plain C: conv2d, depthwise, linear and add_tensors.
 *
 *     cc -O2 -o tensor_kernel tests/meta/tensor_kernel.c -lm
 *     aquant-ref verify --exec './tensor_kernel {case}'
 *
 * Its argument is a directory with desc.json and in_*.npy. It writes out_q.npy and ends with 0, or
 * with 3 where it refuses the input, or 4 for what it does not have. desc.json has a key a line, so
 * that looking for "key": is enough. Replace `convolve` and `requantize` by your own kernel.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DONE = 0, BROKEN = 1, REFUSED = 3, UNSUPPORTED = 4 };

typedef struct {
    int axes;
    long shape[4], size;
    void *data;
} tensor;

static const char *directory;
static char desc[1 << 16];

static void stop(int code, const char *why)
{
    fprintf(stderr, "%s\n", why);
    exit(code);
}

static FILE *open_file(const char *name, const char *mode)
{
    char path[4096];
    FILE *file;
    snprintf(path, sizeof path, "%s/%s", directory, name);
    file = fopen(path, mode);
    if (!file) stop(BROKEN, path);
    return file;
}

/* The text after "key": in desc.json. */
static const char *value(const char *key)
{
    char quoted[64];
    const char *found;
    snprintf(quoted, sizeof quoted, "\"%s\": ", key);
    found = strstr(desc, quoted);
    if (!found) stop(BROKEN, key);
    return found + strlen(quoted);
}

static double real(const char *key) { return strtod(value(key), NULL); }
static long integer(const char *key) { return strtol(value(key), NULL, 10); }
static int is(const char *key, const char *text)
{
    return !strncmp(value(key) + 1, text, strlen(text)) && value(key)[1 + strlen(text)] == '"';
}

static void integers(const char *key, int count, long *out)
{
    const char *at = value(key) + 1; /* behind [ */
    char *end;
    int k;
    for (k = 0; k < count; k++, at = end + 1) out[k] = strtol(at, &end, 10);
}

/* in_KEY.npy: version 1.0, little-endian, row-major, elements of `type` ("<i4" or "<f8"). */
static tensor read_tensor(const char *key, const char *type, size_t width)
{
    char name[64], header[1 << 12];
    unsigned char start[10];
    const char *at;
    char *end;
    tensor t = {0, {1, 1, 1, 1}, 1, NULL};
    FILE *file;
    unsigned length;

    snprintf(name, sizeof name, "in_%s.npy", key);
    file = open_file(name, "rb");
    if (fread(start, 1, 10, file) != 10 || memcmp(start, "\x93NUMPY\x01", 7)) stop(BROKEN, name);
    length = start[8] | (unsigned)start[9] << 8;
    if (length >= sizeof header || fread(header, 1, length, file) != length) stop(BROKEN, name);
    header[length] = 0;
    if (!strstr(header, type) || !strstr(header, "'fortran_order': False")) stop(BROKEN, name);
    at = strstr(header, "'shape': (");
    if (!at) stop(BROKEN, name);
    for (at += strlen("'shape': ("); *at != ')' && t.axes < 4; at = end + strspn(end, ", ")) {
        t.shape[t.axes] = strtol(at, &end, 10);
        t.size *= t.shape[t.axes++];
    }
    t.data = malloc(t.size * width + 1);
    if (!t.data || fread(t.data, width, t.size, file) != (size_t)t.size) stop(BROKEN, name);
    fclose(file);
    return t;
}

static void write_tensor(const char *name, int axes, const long *shape, const int32_t *data)
{
    char header[118]; /* so that the data begins at a multiple of 64 */
    long size = 1;
    int k, used = snprintf(header, sizeof header,
                           "{'descr': '<i4', 'fortran_order': False, 'shape': (");
    FILE *file = open_file(name, "wb");
    for (k = 0; k < axes; size *= shape[k++])
        used += snprintf(header + used, sizeof header - used, "%ld,", shape[k]);
    used += snprintf(header + used, sizeof header - used, "), }");
    memset(header + used, ' ', sizeof header - used);
    header[sizeof header - 1] = '\n';
    fwrite("\x93NUMPY\x01\x00\x76\x00", 1, 10, file);
    fwrite(header, 1, sizeof header, file);
    fwrite(data, sizeof *data, size, file);
    fclose(file);
}

/* Requantization: M to 31 bits, one rounding, AQ-FIXED-1 and AQ-FIXED-2. */

static int64_t clip(int64_t v, int64_t low, int64_t high)
{
    return v < low ? low : v > high ? high : v;
}

static int32_t requantize(int64_t acc, double m)
{
    int exponent, shift;
    int64_t mantissa = (int64_t)floor(ldexp(frexp(m, &exponent), 31) + 0.5), product, q, rest;
    if (acc < INT32_MIN || acc > INT32_MAX) stop(REFUSED, "accumulator beyond int32");
    if (mantissa == (int64_t)1 << 31) {
        mantissa /= 2;
        exponent++;
    }
    shift = 31 - exponent;
    if (shift < 0 || shift > 62) stop(REFUSED, "multiplier out of range");
    product = acc * mantissa;
    q = product >> shift;
    rest = product - q * ((int64_t)1 << shift);
    if (shift > 0 && rest >= (int64_t)1 << (shift - 1)) q++;
    return (int32_t)clip(q + integer("zero_point"), integer("qmin"), integer("qmax"));
}

/* conv2d, depthwise and linear: a linear layer is a convolution of an image of one pixel. */
static void layer(void)
{
    tensor x = read_tensor("x", "<i4", 4), w = read_tensor("weight", "<i4", 4);
    tensor scale = read_tensor("weight_scale", "<f8", 8), bias = read_tensor("bias", "<f8", 8);
    tensor zero = read_tensor("weight_zero", "<i4", 4);
    const int32_t *codes = x.data, *weight = w.data, *weight_zero = zero.data;
    int linear = is("op", "linear");
    long stride[2] = {1, 1}, pad[4] = {0, 0, 0, 0}, dilation[2] = {1, 1}, groups = 1, shape[3];
    long height, width, o, top, left, c, i, j, per_group, x_zero = integer("x_zero");
    int32_t *out;

    if (!is("profile", "exact") && !is("profile", "tflite_single"))
        stop(UNSUPPORTED, "no such requantization");
    if (!linear) {
        integers("stride", 2, stride);
        integers("padding", 4, pad);
        integers("dilation", 2, dilation);
        groups = is("op", "depthwise") ? x.shape[0] : integer("groups");
    }
    height = (x.shape[1] + pad[0] + pad[1] - (w.shape[2] - 1) * dilation[0] - 1) / stride[0] + 1;
    width = (x.shape[2] + pad[2] + pad[3] - (w.shape[3] - 1) * dilation[1] - 1) / stride[1] + 1;
    per_group = w.shape[0] / groups;
    out = malloc(w.shape[0] * height * width * sizeof *out);
    if (!out) stop(BROKEN, "no memory");
    for (o = 0; o < w.shape[0]; o++) {
        double unit = real("x_scale") * ((double *)scale.data)[o];
        int64_t units = (int64_t)rint(((double *)bias.data)[o] / unit);
        for (top = 0; top < height; top++)
            for (left = 0; left < width; left++) {
                int64_t acc = 0;
                for (c = 0; c < w.shape[1]; c++)
                    for (i = 0; i < w.shape[2]; i++)
                        for (j = 0; j < w.shape[3]; j++) {
                            long row = top * stride[0] + i * dilation[0] - pad[0];
                            long column = left * stride[1] + j * dilation[1] - pad[2];
                            long channel = o / per_group * w.shape[1] + c;
                            long at = ((o * w.shape[1] + c) * w.shape[2] + i) * w.shape[3] + j;
                            if (row < 0 || row >= x.shape[1] || column < 0 || column >= x.shape[2])
                                continue; /* the real zero */
                            acc += (int64_t)(weight[at] - weight_zero[o])
                                   * (codes[(channel * x.shape[1] + row) * x.shape[2] + column]
                                      - x_zero);
                        }
                if (acc < INT32_MIN || acc > INT32_MAX) stop(REFUSED, "accumulator beyond int32");
                out[(o * height + top) * width + left]
                    = requantize(acc + units, unit / real("scale"));
            }
    }
    shape[0] = w.shape[0];
    shape[1] = height;
    shape[2] = width;
    write_tensor("out_q.npy", linear ? 1 : 3, shape, out);
}

static void add(void)
{
    tensor a = read_tensor("a", "<i4", 4), b = read_tensor("b", "<i4", 4);
    int32_t *p = a.data, *q = b.data;
    double a_scale = real("a_scale"), b_scale = real("b_scale"), scale = real("scale");
    long k, a_zero = integer("a_zero"), b_zero = integer("b_zero");
    for (k = 0; k < a.size; k++) {
        double t = ((p[k] - a_zero) * a_scale + (q[k] - b_zero) * b_scale) / scale;
        double low = floor(t), steps = t - low >= 0.5 ? low + 1 : low;
        p[k] = (int32_t)clip((int64_t)steps + integer("zero_point"), integer("qmin"),
                             integer("qmax"));
    }
    write_tensor("out_q.npy", a.axes, a.shape, p);
}

int main(int count, char **words)
{
    FILE *file;
    size_t length;
    if (count != 2) stop(BROKEN, "usage: tensor_kernel DIRECTORY");
    directory = words[1];
    file = open_file("desc.json", "rb");
    length = fread(desc, 1, sizeof desc - 1, file);
    desc[length] = 0;
    fclose(file);
    if (is("op", "smoke")) {
        tensor x = read_tensor("x", "<i4", 4);
        write_tensor("out_y.npy", x.axes, x.shape, x.data);
    } else if (is("op", "conv2d") || is("op", "depthwise") || is("op", "linear")) {
        layer();
    } else if (is("op", "add_tensors")) {
        add();
    } else {
        stop(UNSUPPORTED, "no such operation");
    }
    return DONE;
}
