/* A kernel for the conformance kit, in plain C: all scalar operations of the contract, 8 to 32 bits.
 *
 *     cc -O2 -o kernel tests/meta/kernel.c -lm
 *     aquant-ref gen requantize | ./kernel | aquant-ref check requantize
 *
 * It reads the stream with fgets and sscanf, copies the first line, so that `check` can compare it
 * with its own arguments, and answers every case on a line of its own. Replace the functions by
 * calls of the kernel that you want to verify.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static int64_t clip(int64_t v, int64_t low, int64_t high)
{
    return v < low ? low : v > high ? high : v;
}

/* Floor of v / 2^n + 1/2, and the same with ties away from zero. */
static int64_t half_up(int64_t v, int n)
{
    int64_t q = v >> n, rest = v - q * ((int64_t)1 << n);
    return n > 0 && rest >= (int64_t)1 << (n - 1) ? q + 1 : q;
}

static int64_t half_away(int64_t v, int n)
{
    return v < 0 ? -half_up(-v, n) : half_up(v, n);
}

/* To an integer by a named rule; 1 if there is no such rule. Nothing is added to t. */
static int rounded(const char *rule, double t, double *out)
{
    double low = floor(t), rest = t - low;
    if (!strcmp(rule, "floor")) *out = low;
    else if (!strcmp(rule, "ceil")) *out = ceil(t);
    else if (!strcmp(rule, "trunc")) *out = trunc(t);
    else if (!strcmp(rule, "half_away")) *out = round(t);
    else if (!strcmp(rule, "half_even")) *out = nearbyint(t);
    else if (!strcmp(rule, "half_up")) *out = rest == 0.5 && low + rest == t ? low + 1 : round(t);
    else return 1;
    return 0;
}

/* Up exactly where t - floor(t) >= b; that difference may be rounded, so what it lost counts too. */
static double border_round(double t, double b)
{
    double low = floor(t), rest = t - low, lost = t - (low + rest);
    return rest > b || (rest == b && lost >= 0) ? low + 1 : low;
}

static int64_t code(double steps, int64_t zero, int64_t qmin, int64_t qmax)
{
    double q = steps + (double)zero;
    return q <= (double)qmin ? qmin : q >= (double)qmax ? qmax : (int64_t)q;
}

static int64_t nearest(double t, int64_t zero, int64_t qmin, int64_t qmax)
{
    double n;
    rounded("half_up", t, &n);
    return code(n, zero, qmin, qmax);
}

/* The code of T: clipped, then its fraction's entry of a table against the polynomial. */
static int64_t border(int64_t t, int64_t low, int64_t high, int f, int64_t m, int shift,
                      const int64_t c[3], int64_t lift, int64_t zero)
{
    int64_t inside = clip(t, low, high), tau = (inside * m) >> shift;
    int64_t p = ((((c[2] * tau) >> 15) + c[1]) * tau >> 15) + c[0];
    int64_t whole = inside >> f, fraction = inside - whole * ((int64_t)1 << f);
    return whole + zero + (fraction > 0 && lift >= p);
}

static int64_t scale_accumulator(const char *profile, int64_t acc, int64_t m, int shift)
{
    int64_t high;
    if (!strcmp(profile, "exact") || !strcmp(profile, "tflite_single"))
        return half_up(acc * m, shift);
    high = half_up((shift < 31 ? acc * ((int64_t)1 << (31 - shift)) : acc) * m, 31);
    if (shift <= 31) return high;
    return !strcmp(profile, "tflite_up") ? half_up(high, shift - 31) : half_away(high, shift - 31);
}

static void multiplier(double m, int64_t *mantissa, int *shift)
{
    int exponent;
    *mantissa = (int64_t)floor(ldexp(frexp(m, &exponent), 31) + 0.5);
    if (*mantissa == (int64_t)1 << 31) {
        *mantissa /= 2;
        exponent++;
    }
    *shift = 31 - exponent;
}

static const char *op, *profile;

static int is(const char *name)
{
    return !strcmp(op, name);
}

/* One case, `f` being its fields; 0 if it was answered. */
static int answer(const char *id, const char *f)
{
    char rule[32];
    double t, b, sa, sb, s, n;
    int64_t c[3], acc, m, z, low, high, a, za, zb, bq, t0, t1, t2;
    int shift, bits;

    if (is("round")) {
        if (sscanf(f, "%31s %la", rule, &t) != 2) return 1;
        if (rounded(rule, t, &n)) printf("%s skip no rule %s\n", id, rule);
        else printf("%s %" PRId64 "\n", id, (int64_t)n);
    } else if (is("border_round")) {
        if (sscanf(f, "%la %la", &t, &b) != 2) return 1;
        printf("%s %" PRId64 "\n", id, (int64_t)border_round(t, b));
    } else if (is("border")) {
        if (sscanf(f, "%" SCNd64 "%" SCNd64 "%" SCNd64 "%d %" SCNd64 "%d %" SCNd64 "%" SCNd64
                   "%" SCNd64 "%" SCNd64 "%" SCNd64, &a, &low, &high, &bits, &m, &shift,
                   &c[0], &c[1], &c[2], &t0, &z) != 11) return 1;
        printf("%s %" PRId64 "\n", id, border(a, low, high, bits, m, shift, c, t0, z));
    } else if (is("quantize")) {
        if (sscanf(f, "%31s %la %la %" SCNd64 "%" SCNd64 "%" SCNd64, rule, &t, &s, &z, &low, &high)
            != 6) return 1;
        if (rounded(rule, t / s, &n)) printf("%s skip no rule %s\n", id, rule);
        else printf("%s %" PRId64 "\n", id, code(n, z, low, high));
    } else if (is("dequantize")) {
        if (sscanf(f, "%" SCNd64 "%la %" SCNd64, &a, &s, &z) != 3) return 1;
        printf("%s %a\n", id, (double)(a - z) * s);
    } else if (is("multiplier")) {
        if (sscanf(f, "%la", &t) != 1) return 1;
        multiplier(t, &m, &shift);
        printf("%s %" PRId64 " %d\n", id, m, shift);
    } else if (is("requantize") || is("requantize_any")) {
        if (sscanf(f, "%" SCNd64 "%" SCNd64 "%d %" SCNd64 "%" SCNd64 "%" SCNd64,
                   &acc, &m, &shift, &z, &low, &high) != 6) return 1;
        if (!strncmp(profile, "float", 5)) printf("%s skip no profile %s\n", id, profile);
        else printf("%s %" PRId64 "\n", id,
                    clip(scale_accumulator(profile, acc, m, shift) + z, low, high));
    } else if (is("threshold")) {
        if (sscanf(f, "%" SCNd64 "%" SCNd64 "%" SCNd64 "%" SCNd64, &acc, &t0, &t1, &t2) != 4)
            return 1;
        printf("%s %d\n", id, (acc >= t0) + (acc >= t1) + (acc >= t2));
    } else if (is("add")) {
        if (sscanf(f, "%" SCNd64 "%la %" SCNd64 "%" SCNd64 "%la %" SCNd64
                   "%la %" SCNd64 "%" SCNd64 "%" SCNd64,
                   &a, &sa, &za, &bq, &sb, &zb, &s, &z, &low, &high) != 10) return 1;
        t = (double)(a - za) * sa + (double)(bq - zb) * sb;
        printf("%s %" PRId64 "\n", id, nearest(t / s, z, low, high));
    } else if (is("avg_pool")) {
        if (sscanf(f, "%" SCNd64 "%" SCNd64 "%la %" SCNd64 "%la %" SCNd64 "%" SCNd64 "%" SCNd64,
                   &a, &m, &sa, &za, &s, &z, &low, &high) != 8) return 1;
        t = (double)(a - m * za) * sa;
        printf("%s %" PRId64 "\n", id, nearest(t / ((double)m * s), z, low, high));
    } else if (is("rescale_codes")) {
        if (sscanf(f, "%" SCNd64 "%la %" SCNd64 "%la %" SCNd64 "%" SCNd64 "%" SCNd64,
                   &a, &sa, &za, &s, &z, &low, &high) != 7) return 1;
        printf("%s %" PRId64 "\n", id, nearest((double)(a - za) * sa / s, z, low, high));
    } else if (is("mul")) {
        if (sscanf(f, "%" SCNd64 "%la %" SCNd64 "%" SCNd64 "%la %" SCNd64
                   "%la %" SCNd64 "%" SCNd64 "%" SCNd64,
                   &a, &sa, &za, &bq, &sb, &zb, &s, &z, &low, &high) != 10) return 1;
        t = (double)((a - za) * (bq - zb)) * sa * sb;
        printf("%s %" PRId64 "\n", id, nearest(t / s, z, low, high));
    } else if (is("activation_range")) {
        if (sscanf(f, "%31s %la %" SCNd64 "%" SCNd64 "%" SCNd64, rule, &s, &z, &low, &high) != 5)
            return 1;
        a = strcmp(rule, "none") ? clip(z, low, high) : low;
        m = strcmp(rule, "relu6") ? high : nearest(6 / s, z, low, high);
        printf("%s %" PRId64 " %" PRId64 "\n", id, a, m);
    } else if (is("clip")) {
        if (sscanf(f, "%" SCNd64 "%" SCNd64 "%" SCNd64, &a, &low, &high) != 3) return 1;
        printf("%s %" PRId64 "\n", id, clip(a, low, high));
    } else {
        printf("%s skip no operation %s\n", id, op);
    }
    return 0;
}

int main(void)
{
    static char line[4096], header[4096];
    char id[64];
    int end;

    if (!fgets(header, sizeof header, stdin)) return 1;
    fputs(header, stdout); /* so that check can compare it with its own arguments */
    op = strstr(header, "op=");
    profile = strstr(header, "profile=");
    if (!op || !profile) return 1;
    op += strlen("op=");
    profile += strlen("profile=");
    strtok(header, " ");
    while (strtok(NULL, " ")) { /* ends every word */
    }
    while (fgets(line, sizeof line, stdin)) {
        if (sscanf(line, "%63s%n", id, &end) != 1) continue;
        if (answer(id, line + end)) printf("%s error cannot read the case\n", id);
    }
    return 0;
}
