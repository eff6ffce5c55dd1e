/* Wrong ways to requantize, the same as in mutants.py and under the same names.
 *
 * Each is what somebody writes who believes it to be right. `kernel.c` has half_up, half_away, clip.
 */
typedef struct fault fault;
typedef int64_t scaling(int64_t acc, int64_t m, int n);
typedef int64_t finishing(int64_t y, int64_t z, int64_t low, int64_t high);

struct fault {
    const char *name;
    scaling *scale;
    finishing *finish;
    int64_t (*code)(const fault *, int64_t acc, int64_t m, int n, int64_t z, int64_t low, int64_t high);
};

static int64_t floor_shift(int64_t v, int n) { return v >> n; }

static int64_t ceil_shift(int64_t v, int n) { return -(-v >> n); }

static int64_t half_even(int64_t v, int n)
{
    int64_t up = half_up(v, n);
    int tie = n > 0 && (v & (((int64_t)1 << n) - 1)) == (int64_t)1 << (n - 1);
    return tie && (up & 1) ? up - 1 : up;
}

static int64_t half_down(int64_t v, int n) { return -half_up(-v, n); }

/* Rounded twice, as the 32-bit high multiply of tflite does. */
static int64_t twice(int64_t acc, int64_t m, int n, int64_t (*second)(int64_t, int))
{
    int64_t high = half_up((n < 31 ? acc * ((int64_t)1 << (31 - n)) : acc) * m, 31);
    return n <= 31 ? high : second(high, n - 31);
}

/* The scaling of the accumulator */

static int64_t once(int64_t a, int64_t m, int n) { return half_up(a * m, n); }
static int64_t to_even(int64_t a, int64_t m, int n) { return half_even(a * m, n); }
static int64_t away(int64_t a, int64_t m, int n) { return half_away(a * m, n); }
static int64_t down(int64_t a, int64_t m, int n) { return half_down(a * m, n); }
static int64_t truncated(int64_t a, int64_t m, int n) { return (a * m) >> n; }
static int64_t twice_up(int64_t a, int64_t m, int n) { return twice(a, m, n, half_up); }
static int64_t twice_away(int64_t a, int64_t m, int n) { return twice(a, m, n, half_away); }

/* The first rounding away from zero, too. */
static int64_t away_first(int64_t acc, int64_t m, int n, int64_t (*second)(int64_t, int))
{
    int64_t high = half_away((n < 31 ? acc * ((int64_t)1 << (31 - n)) : acc) * m, 31);
    return n <= 31 ? high : second(high, n - 31);
}

static int64_t away_then_up(int64_t a, int64_t m, int n) { return away_first(a, m, n, half_up); }
static int64_t away_then_away(int64_t a, int64_t m, int n) { return away_first(a, m, n, half_away); }

static int64_t divided(int64_t a, int64_t m, int n)
{
    return a * m < 0 ? ceil_shift(a * m, n) : floor_shift(a * m, n);
}

static int64_t added_then_divided(int64_t a, int64_t m, int n)
{
    int64_t v = a * m + (n > 0 ? (int64_t)1 << (n - 1) : 0);
    return v < 0 ? ceil_shift(v, n) : floor_shift(v, n);
}

static int64_t constant_subtracted(int64_t a, int64_t m, int n)
{
    int64_t half = ((int64_t)1 << n) / 2;
    return (a * m + (a >= 0 ? half : -half)) >> n;
}

static int64_t in_float32(int64_t a, int64_t m, int n)
{
    return (int64_t)nearbyint((double)((float)a * (float)ldexp((double)m, -n)));
}

static int64_t in_float64(int64_t a, int64_t m, int n)
{
    return (int64_t)nearbyint((double)a * ldexp((double)m, -n));
}

static int64_t float64_up(int64_t a, int64_t m, int n)
{
    return (int64_t)floor((double)a * ldexp((double)m, -n) + 0.5);
}

static int64_t float64_away(int64_t a, int64_t m, int n)
{
    return (int64_t)((double)a * ldexp((double)m, -n) + (a > 0 ? 0.5 : -0.5));
}

static int64_t shift_modulo_32(int64_t a, int64_t m, int n) { return half_up(a * m, n % 32); }
static int64_t no_shift_of_62(int64_t a, int64_t m, int n) { return n <= 61 ? half_up(a * m, n) : 0; }

static int64_t no_constant_for_31(int64_t a, int64_t m, int n)
{
    return n == 31 ? (a * m) >> 31 : half_up(a * m, n);
}

static int64_t of_24_bits(int64_t a, int64_t m, int n) { return half_up(a * (m >> 7 << 7), n); }
static int64_t of_15_bits(int64_t a, int64_t m, int n) { return half_up(a * (m >> 16 << 16), n); }
static int64_t then_floored(int64_t a, int64_t m, int n) { return twice(a, m, n, floor_shift); }

static int64_t product_in_int32(int64_t a, int64_t m, int n) { return half_up((int32_t)(a * m), n); }

static int64_t in_int24(int64_t a, int64_t m, int n)
{
    int64_t cut = ((a + (1 << 23)) & 0xFFFFFF) - (1 << 23);
    return half_up(cut * m, n);
}

static int64_t in_int16(int64_t a, int64_t m, int n) { return half_up(clip(a, -32768, 32767) * m, n); }
static int64_t shift_more(int64_t a, int64_t m, int n) { return half_up(a * m, n + 1); }

static int64_t shift_of_5_bits(int64_t a, int64_t m, int n)
{
    return half_up(a * m, 31 + ((n - 31) & 15));
}

static int64_t constant_in_int32(int64_t a, int64_t m, int n)
{
    return (a * m + (int32_t)(((int64_t)1 << n) / 2)) >> n;
}

static int64_t shift_of_minus_one(int64_t a, int64_t m, int n)
{
    return (a * m + (n ? (int64_t)1 << (n - 1) : -((int64_t)1 << 31))) >> n;
}

static int64_t below_one(int64_t a, int64_t m, int n) { return half_up(a * m, n < 31 ? 31 : n); }

/* What follows it */

static int64_t added(int64_t y, int64_t z, int64_t low, int64_t high)
{
    return clip(y + z, low, high);
}

static int64_t clipped_first(int64_t y, int64_t z, int64_t low, int64_t high)
{
    return clip(y, low, high) + z;
}

static int64_t clipped_twice(int64_t y, int64_t z, int64_t low, int64_t high)
{
    return clip(clip(y, low, high) + z, low, high);
}

static int64_t zero_point_twice(int64_t y, int64_t z, int64_t low, int64_t high)
{
    return clip(y + 2 * z, low, high);
}

static int64_t no_zero_point(int64_t y, int64_t z, int64_t low, int64_t high)
{
    (void)z;
    return clip(y, low, high);
}

static int64_t unsigned_offset(int64_t y, int64_t z, int64_t low, int64_t high)
{
    return clip(y + z + (low < 0 ? 128 : 0), low, high);
}

static int64_t relu_at_0(int64_t y, int64_t z, int64_t low, int64_t high)
{
    return clip(y + z, low == z ? 0 : low, high);
}

static int64_t relu_dropped(int64_t y, int64_t z, int64_t low, int64_t high)
{
    return clip(y + z, low == z ? -32768 : low, high);
}

static int64_t relu6_ignored(int64_t y, int64_t z, int64_t low, int64_t high)
{
    int64_t width = 4;
    while (low == z && width < (high + 1) * (1 + (low < 0))) width *= 2;
    return clip(y + z, low, low == z ? width : high);
}

static int64_t one_more_level(int64_t y, int64_t z, int64_t low, int64_t high)
{
    return clip(y + z, low, high + 1);
}

static int64_t wrapped(int64_t y, int64_t z, int64_t low, int64_t high)
{
    int64_t levels = high - low + 1, rest = (y + z - low) % levels;
    return low + (rest < 0 ? rest + levels : rest);
}

static int64_t scaled_wrongly(const fault *f, int64_t acc, int64_t m, int n, int64_t z, int64_t low,
                              int64_t high)
{
    return f->finish(f->scale(acc, m, n), z, low, high);
}

static int64_t zero_point_first(const fault *f, int64_t acc, int64_t m, int n, int64_t z, int64_t low,
                                int64_t high)
{
    int64_t y = half_even(acc * m, n);
    int64_t tie = n > 0 && ((acc * m) & (((int64_t)1 << n) - 1)) == (int64_t)1 << (n - 1);
    (void)f;
    /* half_even of y + z: at a tie the even one of the two sums */
    if (tie) {
        int64_t below = (acc * m) >> n;
        y = (below + z) % 2 ? below + 1 : below;
    }
    return clip(y + z, low, high);
}

static const fault FAULTS[] = {
    {"half_even", to_even, added, scaled_wrongly},
    {"half_away", away, added, scaled_wrongly},
    {"half down", down, added, scaled_wrongly},
    {"1/2 added, then divided toward zero", added_then_divided, added, scaled_wrongly},
    {"no rounding constant", truncated, added, scaled_wrongly},
    {"rounding constant subtracted below zero", constant_subtracted, added, scaled_wrongly},
    {"divided toward zero", divided, added, scaled_wrongly},
    {"rounded twice, up", twice_up, added, scaled_wrongly},
    {"rounded twice, away", twice_away, added, scaled_wrongly},
    {"in float32", in_float32, added, scaled_wrongly},
    {"in float64, half_even", in_float64, added, scaled_wrongly},
    {"in float64, half_up", float64_up, added, scaled_wrongly},
    {"in float64, half_away", float64_away, added, scaled_wrongly},
    {"zero point before rounding", once, added, zero_point_first},
    {"clipped before the zero point", once, clipped_first, scaled_wrongly},
    {"clipped before the zero point and after it", once, clipped_twice, scaled_wrongly},
    {"zero point twice", once, zero_point_twice, scaled_wrongly},
    {"zero point forgotten", once, no_zero_point, scaled_wrongly},
    {"offset of unsigned codes", once, unsigned_offset, scaled_wrongly},
    {"ReLU at 0", once, relu_at_0, scaled_wrongly},
    {"ReLU dropped", once, relu_dropped, scaled_wrongly},
    {"ReLU6 ignored", once, relu6_ignored, scaled_wrongly},
    {"2^bits levels and one", once, one_more_level, scaled_wrongly},
    {"wrapped", once, wrapped, scaled_wrongly},
    {"product in int32", product_in_int32, added, scaled_wrongly},
    {"accumulator in int24", in_int24, added, scaled_wrongly},
    {"accumulator saturated to int16", in_int16, added, scaled_wrongly},
    {"shift off by one", shift_more, added, scaled_wrongly},
    {"shift of 5 bits", shift_of_5_bits, added, scaled_wrongly},
    {"shift modulo 32", shift_modulo_32, added, scaled_wrongly},
    {"0 for shifts above 61", no_shift_of_62, added, scaled_wrongly},
    {"no rounding constant for a shift of 31", no_constant_for_31, added, scaled_wrongly},
    {"multiplier of 24 bits", of_24_bits, added, scaled_wrongly},
    {"multiplier of 15 bits", of_15_bits, added, scaled_wrongly},
    {"rounding constant in int32", constant_in_int32, added, scaled_wrongly},
    {"1 << (shift - 1), which a 32-bit shift of -1 makes 1 << 31", shift_of_minus_one, added,
     scaled_wrongly},
    {"M below 1 only", below_one, added, scaled_wrongly},
    {"rounded once", once, added, scaled_wrongly},
    {"tflite_up", twice_up, added, scaled_wrongly},
    {"tflite_away", twice_away, added, scaled_wrongly},
    {"no constant in the second rounding", then_floored, added, scaled_wrongly},
    {"half_away first", away_then_up, added, scaled_wrongly},
    {"half_away both times", away_then_away, added, scaled_wrongly},
};

/* NULL for no name, or none of these. */
static const fault *fault_named(const char *name)
{
    size_t k;
    for (k = 0; name && k < sizeof FAULTS / sizeof *FAULTS; k++)
        if (!strcmp(FAULTS[k].name, name)) return &FAULTS[k];
    return NULL;
}
