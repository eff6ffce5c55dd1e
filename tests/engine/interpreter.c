/*
 * An interpreter of integer programs, written from aquant_ref/engine/PROGRAM.md alone.
 *
 *     interpreter PROGRAM.npz IMAGES.npy OUT
 *
 * IMAGES.npy holds uint8 images (N, C, H, W). OUT receives, for each image in turn, the tensor of
 * each instruction in its order: a .npy of int64 (C, H, W) or (C,) each, one after the other. Every
 * value is held as int64, and one that leaves the bounds that the page states ends the program. The
 * machine is little-endian. What is read from the files is freed by the end of the process.
 */

#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    vfprintf(stderr, format, values);
    va_end(values);
    fputc('\n', stderr);
    exit(1);
}

static void *allocate(int64_t count, size_t size)
{
    void *memory = calloc(count > 0 ? (size_t)count : 1, size);
    if (memory == NULL) fail("out of memory");
    return memory;
}

/* Files */

typedef struct {
    const unsigned char *bytes;
    int64_t size;
} Bytes;

static Bytes read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) fail("cannot read %s", path);
    long size = ftell(file);
    unsigned char *bytes = allocate(size, 1);
    rewind(file);
    if (size < 0 || fread(bytes, 1, (size_t)size, file) != (size_t)size)
        fail("cannot read %s", path);
    fclose(file);
    return (Bytes){bytes, size};
}

static Bytes part(Bytes whole, int64_t start, int64_t size)
{
    if (start < 0 || size < 0 || start > whole.size || size > whole.size - start)
        fail("a file ends early");
    return (Bytes){whole.bytes + start, size};
}

static int64_t number(Bytes whole, int64_t start, int64_t size)
{
    Bytes digits = part(whole, start, size);
    int64_t value = 0;
    for (int64_t i = size - 1; i >= 0; i--) value = value * 256 + digits.bytes[i];
    return value;
}

static Bytes zip_entry(Bytes archive, const char *name)
{
    int64_t end = archive.size - 22;
    while (end >= 0 && number(archive, end, 4) != 0x06054b50) end--;
    if (end < 0) fail("the program is not a zip archive");
    int64_t entries = number(archive, end + 10, 2), at = number(archive, end + 16, 4);
    for (; entries > 0; entries--) {
        int64_t length = number(archive, at + 28, 2);
        const unsigned char *found = part(archive, at + 46, length).bytes;
        if (length == (int64_t)strlen(name) && memcmp(found, name, (size_t)length) == 0) {
            int64_t size = number(archive, at + 24, 4), local = number(archive, at + 42, 4);
            int64_t before = number(archive, local + 26, 2) + number(archive, local + 28, 2);
            if (number(archive, at + 10, 2) != 0) fail("%s is compressed", name);
            return part(archive, local + 30 + before, size);
        }
        at += 46 + length + number(archive, at + 30, 2) + number(archive, at + 32, 2);
    }
    fail("the program lacks %s", name);
    return archive;
}

static char *copy(const char *start, size_t size)
{
    char *text = allocate((int64_t)size + 1, 1);
    memcpy(text, start, size);
    return text;
}

/* Arrays */

typedef struct {
    char type[4]; /* such as <i4 */
    int64_t rank, shape[4], count;
    const unsigned char *bytes;
} Array;

static Array read_array(Bytes file, const char *name)
{
    Array array = {"", 0, {1, 1, 1, 1}, 1, NULL};
    if (memcmp(part(file, 0, 8).bytes, "\x93NUMPY\x01", 8) != 0)
        fail("%s is not a .npy of version 1.0", name);
    const int64_t size = number(file, 8, 2);
    char *text = copy((const char *)part(file, 10, size).bytes, (size_t)size);
    const char *type = strstr(text, "'descr': '"), *shape = strstr(text, "'shape': (");
    if (type == NULL || shape == NULL || strstr(text, "'fortran_order': False") == NULL ||
        sscanf(type + 10, "%3[^']'", array.type) != 1 || strchr("1248", array.type[2]) == NULL)
        fail("the header of %s is not understood", name);
    for (shape += 10; *shape >= '0' && *shape <= '9'; array.rank++) {
        char *end;
        const int64_t length = strtoll(shape, &end, 10);
        if (array.rank == 4 || length < 1 || length > file.size / array.count)
            fail("the shape of %s is not understood", name);
        array.shape[array.rank] = length;
        array.count *= length;
        shape = end + strspn(end, ", ");
    }
    free(text);
    array.bytes = part(file, 10 + size, array.count * (array.type[2] - '0')).bytes;
    return array;
}

static void check_index(const Array *array, int64_t index)
{
    if (index < 0 || index >= array->count) fail("the index %" PRId64 " leaves an array", index);
}

static double real(const Array *array, int64_t index)
{
    double value;
    check_index(array, index);
    if (strcmp(array->type, "<f8") != 0) fail("an array of type %s has no reals", array->type);
    memcpy(&value, array->bytes + 8 * index, sizeof value);
    return value;
}

static int64_t integer(const Array *array, int64_t index)
{
    int32_t narrow;
    int64_t wide;
    check_index(array, index);
    if (strcmp(array->type, "|u1") == 0) return array->bytes[index];
    if (strcmp(array->type, "|i1") == 0) return (array->bytes[index] ^ 128) - 128;
    if (strcmp(array->type, "<i4") == 0) {
        memcpy(&narrow, array->bytes + 4 * index, sizeof narrow);
        return narrow;
    }
    if (strcmp(array->type, "<i8") != 0) fail("an array of type %s is unknown", array->type);
    memcpy(&wide, array->bytes + 8 * index, sizeof wide);
    return wide;
}

/* JSON: a value is where its text starts. In an object, keys and values follow each other. */

static const char *space(const char *text) { return text + strspn(text, " \t\r\n"); }

static const char *after_string(const char *text)
{
    for (text++; *text != '"'; text++) {
        if (*text == '\\') text++;
        if (*text == 0) fail("a text of the header does not end");
    }
    return text + 1;
}

static const char *after(const char *value)
{
    int depth = 0;
    if (*value != '"' && *value != '[' && *value != '{')
        return space(value + strcspn(value, " \t\r\n,:]}"));
    do {
        if (*value == 0) fail("a list of the header does not end");
        depth += (*value == '[' || *value == '{') - (*value == ']' || *value == '}');
        value = *value == '"' ? after_string(value) : value + 1;
    } while (depth > 0);
    return space(value);
}

static const char *first(const char *list)
{
    if (*list != '[' && *list != '{') fail("a list of the header is missing");
    list = space(list + 1);
    return *list == ']' || *list == '}' ? NULL : list;
}

static const char *next(const char *value)
{
    value = after(value);
    return *value == ',' || *value == ':' ? space(value + 1) : NULL;
}

static int64_t length_of(const char *list)
{
    int64_t length = 0;
    for (const char *each = first(list); each != NULL; each = next(each)) length++;
    return length;
}

static const char *item(const char *list, int index)
{
    const char *found = first(list);
    for (; found != NULL && index > 0; index--) found = next(found);
    if (found == NULL) fail("a list of the header is too short");
    return found;
}

static const char *get(const char *object, const char *key)
{
    const size_t size = strlen(key);
    for (const char *each = first(object); each != NULL; each = next(each)) {
        const char *value = next(each);
        if (value == NULL) break;
        if (strncmp(each + 1, key, size) == 0 && each[size + 1] == '"') return value;
        each = value;
    }
    fail("the header lacks %s", key);
    return NULL;
}

/* The texts of a program are printable ASCII without a backslash. */
static const char *text_of(const char *value)
{
    if (*value != '"') fail("a text of the header is missing");
    const char *end = after_string(value) - 1;
    char *text = copy(value, (size_t)(end - value)), *out = text;
    for (value++; value < end; value++) {
        if (*value == '\\') value++;
        *out++ = *value;
    }
    *out = 0;
    return text;
}

static int64_t whole(const char *value)
{
    char *end;
    int64_t result = strtoll(value, &end, 10);
    if (end == value || strchr(" \t\r\n,]}", *end) == NULL) fail("an integer is missing");
    return result;
}

/* Arithmetic */

static int64_t power(int64_t exponent)
{
    if (exponent < 0 || exponent > 62) fail("2^%" PRId64 " is out of range", exponent);
    return INT64_C(1) << exponent;
}

/* floor(value/2^bits): C leaves open what >> does to a negative value. */
static int64_t shift_right(int64_t value, int64_t bits)
{
    if (bits < 0 || bits > 62) fail("a shift by %" PRId64 " is out of range", bits);
    return value < 0 ? -1 - ((-1 - value) >> bits) : value >> bits;
}

static int64_t clip(int64_t value, int64_t least, int64_t largest)
{
    return value < least ? least : value > largest ? largest : value;
}

static int64_t saturate(int64_t value) { return clip(value, INT32_MIN, INT32_MAX); }

static int64_t within(int64_t value, int64_t least, int64_t largest)
{
    if (value < least || value > largest)
        fail("%" PRId64 " leaves %" PRId64 "..%" PRId64, value, least, largest);
    return value;
}

static int64_t in_int32(int64_t value) { return within(value, INT32_MIN, INT32_MAX); }

/* Tensors and instructions */

typedef struct {
    const char *name;
    int64_t rank; /* 3, or 1: then the height and width are 1 */
    int64_t channels, height, width, size;
    int64_t *values;
} Tensor;

typedef struct {
    const char *name, *op, *attributes;
    const Tensor **inputs, *input; /* all of them, and the first */
    int64_t input_count;
    Tensor *out;
} Instruction;

static Bytes program;

static int is(const Instruction *each, const char *op) { return strcmp(each->op, op) == 0; }

static Array array_of(const Instruction *each, const char *key)
{
    size_t size = strlen(each->name) + strlen(key) + 6;
    char *name = allocate((int64_t)size, 1);
    snprintf(name, size, "%s/%s.npy", each->name, key);
    Array array = read_array(zip_entry(program, name), name);
    free(name);
    return array;
}

static int64_t attribute(const Instruction *each, const char *key)
{
    return whole(get(each->attributes, key));
}

static int64_t *make(Tensor *out, int64_t rank, int64_t channels, int64_t height, int64_t width)
{
    out->rank = rank;
    out->channels = channels;
    out->height = height;
    out->width = width;
    out->size = channels * height * width;
    return out->values = allocate(out->size, sizeof *out->values);
}

static int64_t *make_like_input(const Instruction *each)
{
    const Tensor *input = each->input;
    return make(each->out, input->rank, input->channels, input->height, input->width);
}

static int64_t channel_of(const Tensor *tensor, int64_t index)
{
    return index / (tensor->height * tensor->width);
}

/* Windows */

typedef struct {
    int64_t kernel[2], stride[2], dilation[2], before[2], count[2];
} Windows;

static int64_t side(const char *list, int index, int64_t least)
{
    return within(whole(item(list, index)), least, 1 << 28);
}

static Windows windows_of(const Instruction *each, int64_t kernel_height, int64_t kernel_width)
{
    const int64_t sizes[2] = {each->input->height, each->input->width};
    Windows windows = {{kernel_height, kernel_width}, {0, 0}, {0, 0}, {0, 0}, {0, 0}};
    for (int axis = 0; axis < 2; axis++) {
        const char *padding = item(get(each->attributes, "padding"), axis);
        windows.stride[axis] = side(get(each->attributes, "stride"), axis, 1);
        windows.dilation[axis] = side(get(each->attributes, "dilation"), axis, 1);
        windows.before[axis] = side(padding, 0, 0);
        int64_t padded = sizes[axis] + windows.before[axis] + side(padding, 1, 0);
        int64_t room = padded - (windows.kernel[axis] - 1) * windows.dilation[axis] - 1;
        if (room < 0) fail("%s has no window", each->name);
        windows.count[axis] = room / windows.stride[axis] + 1;
    }
    return windows;
}

/* The pixel (i, j) of window (y, x): its place in its channel, or -1 for padding. */
static int64_t pixel(const Windows *windows, const Tensor *input, int64_t y, int64_t x, int64_t i,
                     int64_t j)
{
    int64_t row = y * windows->stride[0] + i * windows->dilation[0] - windows->before[0];
    int64_t column = x * windows->stride[1] + j * windows->dilation[1] - windows->before[1];
    int inside = row >= 0 && row < input->height && column >= 0 && column < input->width;
    return inside ? row * input->width + column : -1;
}

/* Convolutions: a window becomes the list of its factors (code - zero point), by row. */

typedef struct {
    Array zero_point, codes, lift, fusion, error, directions, pull;
    int64_t zero_code, step;
    int bordered, fused, fed_back;
} Rounding;

static Rounding rounding_of(const Instruction *each)
{
    Rounding rounding;
    memset(&rounding, 0, sizeof rounding);
    rounding.zero_point = array_of(each, "zero_point");
    rounding.fused = is(each, "fused_conv2d");
    rounding.fed_back = is(each, "feedback_conv2d");
    rounding.bordered = rounding.fused || rounding.fed_back || is(each, "border_conv2d");
    if (rounding.bordered) {
        rounding.codes = array_of(each, "codes");
        rounding.zero_code = attribute(each, "zero_code");
    }
    if (rounding.fused) {
        rounding.lift = array_of(each, "lift");
        rounding.fusion = array_of(each, "fusion");
    }
    if (rounding.fed_back) {
        rounding.lift = array_of(each, "lift");
        rounding.error = array_of(each, "error");
        rounding.directions = array_of(each, "directions");
        rounding.pull = array_of(each, "pull");
        rounding.step = power(attribute(each, "error_bits"));
    }
    return rounding;
}

static int64_t entry(const Array *table, int64_t row, int64_t code)
{
    within(code, 0, table->shape[1] - 1);
    return integer(table, (table->shape[0] == 1 ? 0 : row) * table->shape[1] + code);
}

/* The wide codes of the rows of one group become codes; E has a number for each direction. */
static void feed_back(const Rounding *rounding, int64_t group, int64_t *codes)
{
    const int64_t rank = rounding->directions.shape[1], rows = rounding->directions.shape[2];
    int64_t *error = allocate(rank, sizeof *error);
    for (int64_t n = 0; n < rows; n++) {
        const int64_t row = group * rows + n, u = codes[n];
        int64_t pulled = 0;
        for (int64_t k = 0; k < rank; k++)
            pulled += integer(&rounding->pull, (group * rank + k) * rows + n) * error[k];
        int64_t up = entry(&rounding->lift, row, u) >= in_int32(pulled);
        int64_t own = entry(&rounding->error, row, u) + up * rounding->step;
        codes[n] = entry(&rounding->codes, row, u) + up;
        for (int64_t k = 0; k < rank; k++)
            error[k] = in_int32(
                error[k] + integer(&rounding->directions, (group * rank + k) * rows + n) * own);
    }
    free(error);
}

static void fill_window(const Rounding *rounding, const Windows *windows, const Tensor *input,
                        int64_t y, int64_t x, int64_t *factors)
{
    const int64_t area = windows->kernel[0] * windows->kernel[1];
    for (int64_t c = 0; c < input->channels; c++) {
        const int64_t *plane = input->values + c * input->height * input->width;
        const int64_t zero_point = integer(&rounding->zero_point, c);
        for (int64_t i = 0, row = c * area; i < windows->kernel[0]; i++)
            for (int64_t j = 0; j < windows->kernel[1]; j++, row++) {
                int64_t at = pixel(windows, input, y, x, i, j);
                int64_t padding = rounding->bordered ? rounding->zero_code : zero_point;
                factors[row] = at >= 0 ? plane[at] : padding;
            }
    }
    for (int64_t g = 0; rounding->fed_back && g < rounding->directions.shape[0]; g++)
        feed_back(rounding, g, factors + g * rounding->directions.shape[2]);
    for (int64_t c = 0; c < input->channels; c++) {
        const int64_t zero_point = integer(&rounding->zero_point, c);
        const int64_t first = c * area, end = first + area;
        int64_t total = 0;
        for (int64_t row = first; row < end && rounding->fused; row++)
            total += entry(&rounding->fusion, row, factors[row]);
        for (int64_t row = first; row < end; row++) {
            int64_t code = factors[row];
            if (rounding->bordered && !rounding->fed_back) code = entry(&rounding->codes, row, factors[row]);
            if (rounding->fused) code += entry(&rounding->lift, row, factors[row]) >= total;
            factors[row] = code - zero_point;
        }
    }
}

static void convolve(const Instruction *each)
{
    const Array weight = array_of(each, "weight");
    const int64_t groups = attribute(each, "groups"), outputs = weight.shape[0];
    if (weight.rank != 4 || groups < 1 || outputs % groups != 0 ||
        weight.shape[1] != each->input->channels / groups || each->input->channels % groups != 0)
        fail("the weight of %s does not fit its input", each->name);
    const int64_t rows = weight.shape[1] * weight.shape[2] * weight.shape[3];
    const Windows windows = windows_of(each, weight.shape[2], weight.shape[3]);
    const Rounding rounding = rounding_of(each);
    const int64_t height = windows.count[0], width = windows.count[1];
    int64_t *factors = allocate(rows * groups, sizeof *factors);
    int64_t *out = make(each->out, 3, outputs, height, width);
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = 0; x < width; x++) {
            fill_window(&rounding, &windows, each->input, y, x, factors);
            for (int64_t o = 0; o < outputs; o++) {
                const int64_t *own = factors + o / (outputs / groups) * rows;
                int64_t sum = 0;
                for (int64_t row = 0; row < rows; row++)
                    sum = in_int32(sum + integer(&weight, o * rows + row) * own[row]);
                out[(o * height + y) * width + x] = sum;
            }
        }
    free(factors);
}

static void pool(const Instruction *each)
{
    const char *kernel = get(each->attributes, "kernel");
    const Windows windows = windows_of(each, side(kernel, 0, 1), side(kernel, 1, 1));
    const int64_t positions = windows.count[0] * windows.count[1];
    const Tensor *input = each->input;
    const int is_sum = is(each, "sum");
    Array zero_point = {"", 0, {0}, 0, NULL}, factor = zero_point;
    if (is_sum) {
        zero_point = array_of(each, "zero_point");
        factor = array_of(each, "factor");
    }
    int64_t *out = make(each->out, 3, input->channels, windows.count[0], windows.count[1]);
    for (int64_t index = 0; index < each->out->size; index++) {
        int64_t c = index / positions, position = index % positions;
        int64_t y = position / windows.count[1], x = position % windows.count[1];
        const int64_t *plane = input->values + c * input->height * input->width;
        int64_t sum = 0, largest = INT64_MIN;
        for (int64_t i = 0; i < windows.kernel[0]; i++)
            for (int64_t j = 0; j < windows.kernel[1]; j++) {
                int64_t at = pixel(&windows, input, y, x, i, j);
                if (at >= 0 && is_sum) sum = in_int32(sum + plane[at] - integer(&zero_point, c));
                if (at >= 0 && plane[at] > largest) largest = plane[at];
            }
        out[index] = in_int32(is_sum ? integer(&factor, position) * sum : largest);
    }
}

static void linear(const Instruction *each)
{
    const Array weight = array_of(each, "weight"), bias = array_of(each, "bias");
    const Array zero_point = array_of(each, "zero_point");
    const Tensor *input = each->input;
    int64_t *out = make(each->out, 1, weight.shape[0], 1, 1);
    for (int64_t o = 0; o < each->out->size; o++) {
        int64_t sum = 0;
        for (int64_t c = 0; c < input->channels; c++) {
            int64_t factor = input->values[c] - integer(&zero_point, c);
            sum = in_int32(sum + integer(&weight, o * input->channels + c) * factor);
        }
        out[o] = in_int32(sum + integer(&bias, o));
    }
}

/* Pairs and lists of tensors */

static void combine(const Instruction *each)
{
    const int is_add = is(each, "add"), is_mul = is(each, "mul");
    Array of_a = {"", 0, {0}, 0, NULL}, of_b = of_a;
    if (is_add || is_mul) {
        of_a = array_of(each, is_add ? "multiplier_a" : "zero_point_a");
        of_b = array_of(each, is_add ? "multiplier_b" : "zero_point_b");
    }
    if (each->input_count != 2 || each->inputs[1]->size != each->input->size)
        fail("the inputs of %s differ in shape", each->name);
    int64_t *out = make_like_input(each);
    for (int64_t i = 0; i < each->out->size; i++) {
        int64_t c = channel_of(each->input, i);
        int64_t a = each->input->values[i], b = each->inputs[1]->values[i];
        if (is_add)
            out[i] = within(integer(&of_a, c) * a + integer(&of_b, c) * b, -power(53), power(53));
        else if (is_mul)
            out[i] = in_int32((a - integer(&of_a, c)) * (b - integer(&of_b, c)));
        else
            out[i] = in_int32(a + b);
    }
}

static void concatenate(const Instruction *each)
{
    int64_t channels = 0;
    for (int64_t i = 0; i < each->input_count; i++) channels += each->inputs[i]->channels;
    const Tensor *first = each->input;
    int64_t *out = make(each->out, first->rank, channels, first->height, first->width);
    for (int64_t i = 0; i < each->input_count; i++) {
        const Tensor *input = each->inputs[i];
        if (input->height != first->height || input->width != first->width)
            fail("the inputs of %s differ in shape", each->name);
        memcpy(out, input->values, (size_t)input->size * sizeof *out);
        out += input->size;
    }
}

static void flatten(const Instruction *each)
{
    int64_t *out = make(each->out, 1, each->input->size, 1, 1);
    memcpy(out, each->input->values, (size_t)each->out->size * sizeof *out);
}

/* Requantization */

static void threshold(const Instruction *each)
{
    const Array thresholds = array_of(each, "thresholds");
    const int64_t least = attribute(each, "least"), count = thresholds.shape[1];
    int64_t *out = make_like_input(each);
    for (int64_t i = 0; i < each->out->size; i++) {
        int64_t row = channel_of(each->input, i) * count, reached = 0, end = count;
        while (reached < end) {
            int64_t middle = (reached + end) / 2;
            if (integer(&thresholds, row + middle) <= each->input->values[i])
                reached = middle + 1;
            else
                end = middle;
        }
        out[i] = least + reached;
    }
}

static void lookup(const Instruction *each)
{
    const Array table = array_of(each, "table");
    int64_t *out = make_like_input(each);
    for (int64_t i = 0; i < each->out->size; i++) out[i] = integer(&table, each->input->values[i]);
}

/* value/2^bits, rounded to the nearest integer; a tie goes up, or away from zero. */
static int64_t divide(int64_t value, int64_t bits, int away)
{
    int64_t half = bits > 0 ? power(bits - 1) : 0;
    if (away && value < 0) return -shift_right(half - value, bits);
    return shift_right(value + half, bits);
}

static int64_t rescale_one(const char *profile, int64_t acc, int64_t multiplier, int64_t shift)
{
    const int away = strcmp(profile, "tflite_away") == 0;
    if (strcmp(profile, "exact") == 0 || strcmp(profile, "tflite_single") == 0)
        return divide(acc * multiplier, shift, 0);
    if (!away && strcmp(profile, "tflite_up") != 0) fail("a profile %s is unknown", profile);
    acc = in_int32(acc * power(shift < 31 ? 31 - shift : 0));
    return divide(divide(acc * multiplier, 31, 0), shift > 31 ? shift - 31 : 0, away);
}

/* The nearest integer, where it fits int32; a tie goes to the even one, or away from zero. */
static int64_t nearest(double value, int away)
{
    if (value >= 0x1p31) return INT32_MAX;
    if (value <= -0x1p31) return INT32_MIN;
    int64_t integral = (int64_t)value;
    double rest = value - (double)integral;
    double size = rest < 0 ? -rest : rest;
    if (size > 0.5 || (size >= 0.5 && (away || integral % 2 != 0))) integral += rest < 0 ? -1 : 1;
    return integral;
}

static int64_t rescale_float_one(const char *profile, int64_t acc, double multiplier)
{
    if (acc == 0) return 0; /* also where float32 makes the multiplier infinite */
    if (strcmp(profile, "float64") == 0) return nearest((double)acc * multiplier, 1);
    if (strcmp(profile, "float32") != 0) fail("a profile %s is unknown", profile);
    return nearest((double)(float)((float)acc * (float)multiplier), 0);
}

static void rescale(const Instruction *each)
{
    const int is_float = is(each, "rescale_float");
    const Array left = array_of(each, "left"), bias = array_of(each, "bias");
    const Array multiplier = array_of(each, "multiplier");
    const Array shift = is_float ? left : array_of(each, "shift");
    const char *profile = text_of(get(each->attributes, "profile"));
    int64_t *out = make_like_input(each);
    for (int64_t i = 0; i < each->out->size; i++) {
        int64_t c = channel_of(each->input, i), x = in_int32(each->input->values[i]);
        int64_t acc = in_int32(x * power(within(integer(&left, c), 0, 31)) + integer(&bias, c));
        if (is_float)
            out[i] = saturate(rescale_float_one(profile, acc, real(&multiplier, c)));
        else
            out[i] = saturate(
                rescale_one(profile, acc, integer(&multiplier, c), integer(&shift, c)));
    }
}

static void border(const Instruction *each)
{
    const Array coefficients = array_of(each, "coefficients"), lift = array_of(each, "lift");
    const int64_t fraction_bits = attribute(each, "fraction_bits");
    const int64_t low = attribute(each, "low"), high = attribute(each, "high");
    const int64_t least = attribute(each, "least"), largest = attribute(each, "largest");
    const int64_t multiplier = attribute(each, "multiplier"), shift = attribute(each, "shift");
    const int64_t zero_point = attribute(each, "zero_point");
    int64_t *out = make_like_input(each);
    for (int64_t i = 0; i < each->out->size; i++) {
        int64_t row = coefficients.shape[0] == 1 ? 0 : 3 * channel_of(each->input, i);
        int64_t t = in_int32(clip(each->input->values[i], low, high));
        int64_t tau = within(shift_right(t * multiplier, shift), -power(15) - 1, power(15) + 1);
        int64_t value = 0;
        for (int64_t degree = 2; degree >= 0; degree--)
            value = shift_right(value * tau, 15) + integer(&coefficients, row + degree);
        int64_t integral = shift_right(t, fraction_bits);
        int64_t up = integer(&lift, t - integral * power(fraction_bits)) >= value;
        out[i] = within(integral + zero_point + up, least, largest);
    }
}

/* The program */

static void execute(const Instruction *each)
{
    static const struct {
        const char *op;
        void (*run)(const Instruction *);
    } operations[] = {
        {"conv2d", convolve},  {"border_conv2d", convolve}, {"fused_conv2d", convolve},
        {"linear", linear},    {"add", combine},            {"plus", combine},
        {"mul", combine},      {"sum", pool},               {"max_pool", pool},
        {"flatten", flatten},  {"concat", concatenate},     {"threshold", threshold},
        {"lookup", lookup},    {"rescale", rescale},        {"rescale_float", rescale},
        {"border", border},    {"feedback_conv2d", convolve}, {NULL, NULL},
    };
    int i = 0;
    while (operations[i].op != NULL && !is(each, operations[i].op)) i++;
    if (operations[i].op == NULL) fail("an instruction %s is unknown", each->op);
    operations[i].run(each);
}

static void write_tensor(FILE *file, const Tensor *tensor)
{
    char header[250] = "{'descr': '<i8', 'fortran_order': False, 'shape': (";
    int size = (int)strlen(header);
    const int64_t shape[3] = {tensor->channels, tensor->height, tensor->width};
    for (int64_t i = 0; i < tensor->rank; i++)
        size += snprintf(header + size, sizeof header - (size_t)size, "%" PRId64 ", ", shape[i]);
    size += snprintf(header + size, sizeof header - (size_t)size, "), }\n");
    fwrite("\x93NUMPY\x01", 1, 8, file);
    fputc(size, file);
    fputc(0, file);
    fwrite(header, 1, (size_t)size, file);
    fwrite(tensor->values, sizeof *tensor->values, (size_t)tensor->size, file);
}

static const Tensor *find(const Tensor *tensors, int64_t count, const char *name)
{
    int64_t i = 0;
    while (i < count && strcmp(tensors[i].name, name) != 0) i++;
    if (i == count) fail("the tensor %s is not made yet", name);
    return tensors + i;
}

/* The instructions, of which number i makes the tensor 1 + i; the first tensor is the image. */
static Instruction *read_instructions(const char *list, Tensor *tensors)
{
    Instruction *instructions = allocate(length_of(list), sizeof *instructions);
    Instruction *each = instructions;
    int64_t made = 1;
    for (const char *json = first(list); json != NULL; json = next(json), each++, made++) {
        each->name = text_of(get(json, "name"));
        each->op = text_of(get(json, "op"));
        each->attributes = get(json, "attributes");
        const char *inputs = get(json, "inputs");
        each->inputs = allocate(length_of(inputs), sizeof *each->inputs);
        for (const char *name = first(inputs); name != NULL; name = next(name))
            each->inputs[each->input_count++] = find(tensors, made, text_of(name));
        if (each->input_count == 0) fail("%s has no input", each->name);
        each->input = each->inputs[0];
        each->out = tensors + made;
        each->out->name = each->name;
    }
    return instructions;
}

int main(int count, char **arguments)
{
    if (count != 4) fail("usage: %s PROGRAM.npz IMAGES.npy OUT", arguments[0]);
    program = read_file(arguments[1]);
    const Bytes header = zip_entry(program, "header.json");
    const char *json = space(copy((const char *)header.bytes, (size_t)header.size));
    const char *meta = get(json, "meta"), *shape = get(meta, "input_shape");
    const char *list = get(meta, "instructions");
    if (strcmp(text_of(get(json, "magic")), "aquant_ref") != 0 ||
        strcmp(text_of(get(json, "kind")), "program") != 0 || whole(get(json, "version")) > 2)
        fail("%s is not a program of version 1 or 2", arguments[1]);
    const int64_t length = length_of(list);
    Tensor *tensors = allocate(1 + length, sizeof *tensors), *image = tensors;
    image->name = "image";
    make(image, 3, side(shape, 0, 1), side(shape, 1, 1), side(shape, 2, 1));
    const Instruction *instructions = read_instructions(list, tensors);

    const Array images = read_array(read_file(arguments[2]), arguments[2]);
    if (images.rank != 4 || strcmp(images.type, "|u1") != 0 || images.shape[1] != image->channels ||
        images.shape[2] != image->height || images.shape[3] != image->width)
        fail("%s does not hold images of the program", arguments[2]);
    FILE *file = fopen(arguments[3], "wb");
    if (file == NULL) fail("cannot write %s", arguments[3]);
    for (int64_t n = 0; n < images.shape[0]; n++) {
        for (int64_t i = 0; i < image->size; i++)
            image->values[i] = integer(&images, n * image->size + i);
        for (int64_t i = 0; i < length; i++) {
            execute(instructions + i);
            write_tensor(file, instructions[i].out);
        }
        for (int64_t i = 1; i <= length; i++) free(tensors[i].values);
    }
    if (fclose(file) != 0) fail("cannot write %s", arguments[3]);
    return 0;
}
