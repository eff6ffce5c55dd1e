// A kernel for the conformance kit on a GPU: the scalar operations that inference runs there.
//
//     nvcc -O2 -arch=native -o kernel tests/meta/kernel.cu
//     aquant-ref gen requantize | ./kernel | aquant-ref check requantize
//
// The host reads a batch of cases, launches the device once for all of them, and writes a line for
// each. What is read is described by the first line of the stream itself (`fields=acc:i32,...`).
// Every product and sum that has to be rounded on its own is spelled so: nvcc would make one fused
// multiply-add of them. -DFAULT=n compiles a wrong kernel, as people have written them.
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <algorithm>
#include <string>
#include <vector>

#ifndef FAULT
#define FAULT 0
#endif
enum {
    FLOAT_REQUANTIZE = 1, // the scale and the product in float32
    NO_HALF,              // a shift alone: what should be rounded is cut off
    RECIPROCAL,           // quantize multiplies by 1 / scale
    INEXACT_FRACTION,     // border_round believes t - floor(t) to be exact
    TWO_ROUNDINGS,        // add rounds each operand
    INT32_SUM             // clip is given what has been cut to 32 bits
};

#ifndef LAUNCH // cuda_on_cpu.h has another, for a machine without a GPU
#define LAUNCH(kernel, blocks, threads, ...) kernel<<<blocks, threads>>>(__VA_ARGS__)
#endif

union Value {
    int64_t i;
    double r;
};

struct Case {
    Value f[12];
};

enum Op { ROUND, QUANTIZE, BORDER_ROUND, BORDER, REQUANTIZE, THRESHOLD, ADD, AVG_POOL, CLIP };
const char *const OPS[] = {"round",      "quantize",  "border_round", "border", "requantize",
                           "threshold",  "add",       "avg_pool",     "clip"};
enum Rule { HALF_EVEN, HALF_UP, HALF_AWAY, FLOOR, CEIL, TRUNC };
const char *const RULES[] = {"half_even", "half_up", "half_away", "floor", "ceil", "trunc"};
enum Profile { EXACT, TFLITE_SINGLE, TFLITE_UP, TFLITE_AWAY };
const char *const PROFILES[] = {"exact", "tflite_single", "tflite_up", "tflite_away"};

// On the device

__device__ int64_t clip(int64_t v, int64_t a, int64_t b) { return v < a ? a : v > b ? b : v; }

// v / 2^n to the nearest integer, a tie up, or away from zero. Nothing is added to v before the
// shift, so that nothing overflows, and n = 0 has no half.
__device__ int64_t half_up(int64_t v, int n)
{
    return FAULT == NO_HALF || n == 0 ? v >> n : (v >> n) + ((v >> (n - 1)) & 1);
}

__device__ int64_t half_away(int64_t v, int n) { return v < 0 ? -half_up(-v, n) : half_up(v, n); }

__device__ double rounded(int rule, double t)
{
    switch (rule) {
    case HALF_EVEN: return rint(t);
    case HALF_UP: return __dsub_rn(t, floor(t)) == 0.5 ? ceil(t) : round(t);
    case HALF_AWAY: return round(t);
    case FLOOR: return floor(t);
    case CEIL: return ceil(t);
    default: return trunc(t);
    }
}

// Up where frac(t) >= b. The difference t - floor(t) may have been rounded; what it lost is exact.
__device__ double border_round(double t, double b)
{
    double low = floor(t), rest = __dsub_rn(t, low);
    double lost = FAULT == INEXACT_FRACTION ? 0.0 : __dsub_rn(t, __dadd_rn(low, rest));
    return rest > b || (rest == b && lost >= 0.0) ? low + 1.0 : low;
}

// The code of a number of steps; infinity saturates.
__device__ int64_t code(double steps, int64_t zero, int64_t qmin, int64_t qmax)
{
    double q = __dadd_rn(steps, (double)zero);
    return q <= (double)qmin ? qmin : q >= (double)qmax ? qmax : (int64_t)q;
}

__device__ int64_t requantized(int profile, int64_t acc, int64_t m, int shift)
{
    if (FAULT == FLOAT_REQUANTIZE)
        return (int64_t)rintf(__fmul_rn((float)acc, ldexpf((float)m, -shift)));
    if (profile == EXACT || profile == TFLITE_SINGLE) return half_up(acc * m, shift);
    int64_t left = shift < 31 ? (int64_t)1 << (31 - shift) : 1;
    int64_t high = half_up(acc * left * m, 31);
    if (shift <= 31) return high;
    return profile == TFLITE_UP ? half_up(high, shift - 31) : half_away(high, shift - 31);
}

// A code with fraction bits against a polynomial of it, in integers.
__device__ int64_t bordered(const Value *f)
{
    int64_t t = clip(f[0].i, f[1].i, f[2].i), tau = (t * f[4].i) >> f[5].i;
    int64_t border = ((((f[8].i * tau >> 15) + f[7].i) * tau) >> 15) + f[6].i;
    int64_t whole = t >> f[3].i, fraction = t & (((int64_t)1 << f[3].i) - 1);
    return whole + (fraction != 0 && f[9].i >= border) + f[10].i;
}

__device__ int64_t added(const Value *f)
{
    double a = __dmul_rn((double)(f[0].i - f[2].i), f[1].r);
    double b = __dmul_rn((double)(f[3].i - f[5].i), f[4].r), s = f[6].r;
    double steps = FAULT == TWO_ROUNDINGS
                       ? rounded(HALF_UP, __ddiv_rn(a, s)) + rounded(HALF_UP, __ddiv_rn(b, s))
                       : rounded(HALF_UP, __ddiv_rn(__dadd_rn(a, b), s));
    return code(steps, f[7].i, f[8].i, f[9].i);
}

__device__ int64_t quantized(const Value *f)
{
    double t = FAULT == RECIPROCAL ? __dmul_rn(f[1].r, __ddiv_rn(1.0, f[2].r))
                                   : __ddiv_rn(f[1].r, f[2].r);
    return code(rounded((int)f[0].i, t), f[3].i, f[4].i, f[5].i);
}

__device__ int64_t pooled(const Value *f)
{
    double sum = __dmul_rn((double)(f[0].i - f[1].i * f[3].i), f[2].r);
    double steps = __ddiv_rn(sum, __dmul_rn((double)f[1].i, f[4].r));
    return code(rounded(HALF_UP, steps), f[5].i, f[6].i, f[7].i);
}

__device__ int64_t result(int op, int profile, const Value *f)
{
    switch (op) {
    case ROUND: return (int64_t)rounded((int)f[0].i, f[1].r);
    case QUANTIZE: return quantized(f);
    case BORDER_ROUND: return (int64_t)border_round(f[0].r, f[1].r);
    case BORDER: return bordered(f);
    case REQUANTIZE:
        return clip(requantized(profile, f[0].i, f[1].i, (int)f[2].i) + f[3].i, f[4].i, f[5].i);
    case THRESHOLD: return (f[0].i >= f[1].i) + (f[0].i >= f[2].i) + (f[0].i >= f[3].i);
    case ADD: return added(f);
    case AVG_POOL: return pooled(f);
    default: return clip(FAULT == INT32_SUM ? (int32_t)f[0].i : f[0].i, f[1].i, f[2].i);
    }
}

__global__ void answer(int op, int profile, const Case *cases, int64_t *results, int count)
{
    int k = blockIdx.x * blockDim.x + threadIdx.x;
    if (k < count) results[k] = result(op, profile, cases[k].f);
}

// On the host

static void succeed(cudaError_t status, const char *call)
{
    if (status == cudaSuccess) return;
    fprintf(stderr, "kernel: %s: %s\n", call, cudaGetErrorString(status));
    exit(status == cudaErrorNoDevice || status == cudaErrorInsufficientDriver ? 4 : 5);
}
#define CHECKED(call) succeed(call, #call)

template <size_t N> static int named(const char *const (&names)[N], const std::string &name)
{
    const auto *found = std::find(names, names + N, name);
    return found == names + N ? -1 : (int)(found - names);
}

static std::string word(const std::string &header, const char *key)
{
    size_t start = header.find(key);
    if (start == std::string::npos) return "";
    start += strlen(key);
    return header.substr(start, header.find_first_of(" \n", start) - start);
}

// One letter a field: i, f or s.
static std::string types(const std::string &fields)
{
    std::string letters;
    for (size_t at = 0; (at = fields.find(':', at)) != std::string::npos;)
        letters += fields[++at];
    return letters;
}

// The case in a line after its id; false where it cannot be read.
static bool parse(char *at, const std::string &letters, Case &read)
{
    for (size_t k = 0; k < letters.size(); k++) {
        char *start = at + strspn(at, " "), *end = start + strcspn(start, " \n");
        if (letters[k] == 's') {
            read.f[k].i = named(RULES, std::string(start, end));
            at = read.f[k].i < 0 ? start : end;
        } else if (letters[k] == 'f') {
            read.f[k].r = strtod(start, &at);
        } else {
            read.f[k].i = strtoll(start, &at, 10);
        }
        if (at == start || at != end) return false;
    }
    return at[strspn(at, " \n")] == 0;
}

int main()
{
    constexpr int BATCH = 1 << 18, BLOCK = 256;
    char line[4096];
    if (!fgets(line, sizeof line, stdin)) return 1;
    fputs(line, stdout); // so that check can compare it with its own arguments
    std::string header = line, letters = types(word(header, " fields="));
    int op = named(OPS, word(header, " op=")), profile = named(PROFILES, word(header, " profile="));
    bool unknown = op < 0 || (op == REQUANTIZE && profile < 0) || letters.size() > 12;

    Case *cases;
    int64_t *results;
    CHECKED(cudaMalloc(&cases, BATCH * sizeof *cases));
    CHECKED(cudaMalloc(&results, BATCH * sizeof *results));
    std::vector<int64_t> answers(BATCH);
    for (bool more = true; more;) {
        std::vector<Case> read;
        std::vector<std::string> ids;
        while (read.size() < BATCH && (more = fgets(line, sizeof line, stdin) != nullptr)) {
            size_t length = strcspn(line, " \n");
            std::string id(line, length);
            Case one = {};
            if (!unknown && parse(line + length, letters, one)) {
                read.push_back(one);
                ids.push_back(id);
                continue;
            }
            printf("%s %s\n", id.c_str(), unknown ? "skip not here" : "error cannot be read");
        }
        size_t count = read.size();
        if (count == 0) continue;
        CHECKED(cudaMemcpy(cases, read.data(), count * sizeof *cases, cudaMemcpyHostToDevice));
        LAUNCH(answer, ((int)count + BLOCK - 1) / BLOCK, BLOCK, op, profile, cases, results,
               (int)count);
        CHECKED(cudaGetLastError());
        size_t bytes = count * sizeof *results;
        CHECKED(cudaMemcpy(answers.data(), results, bytes, cudaMemcpyDeviceToHost)); // waits
        for (size_t k = 0; k < count; k++) printf("%s %" PRId64 "\n", ids[k].c_str(), answers[k]);
    }
    CHECKED(cudaFree(results));
    CHECKED(cudaFree(cases));
}
