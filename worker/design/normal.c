#include "normal.h"

#include <math.h>
#include <sleef.h>

/* A quotient of two polynomials of degree 7, lowest power first. */
struct rational {
    double above[8], below[8];
};

/* The method is Wichura's (AS 241): one rational function in the middle, two in the square root of -ln u for
 * the tails. The coefficients are our own least-squares fits in 60 digits, at Chebyshev points and with relative
 * weights; each is within 1e-16 of the exact quantile over its range. */

/* z / q from 0.180625 - q^2, where q = u - 1/2 and |q| <= 0.425 */
static const struct rational middle = {
    {3.3871328727963665, 132.97557689143147, 1966.17289871994, 13669.059899841084, 45611.95030474683, 66635.35296292101,
     33014.17326269556, 2468.9441911518725},
    {1.0, 42.264294833629194, 685.4400439140338, 5371.535872983877, 21082.49148022754, 38971.52767336637,
     28403.52815408311, 5150.707469439314},
};

/* z from r - 1.6, where r = sqrt(-ln u) from 1.6 to 5 */
static const struct rational near_tail = {
    {1.4234371107496835, 4.631677810158749, 5.773573044465123, 3.652334402056952, 1.27273819651763, 0.24233223317323163,
     0.022781373786282685, 0.0007764014873745116},
    {1.0, 2.0541329847013388, 1.6781188161720277, 0.6909199778338664, 0.14843581200224587, 0.015237256971755483,
     0.0005489064666064574, 1.0501894065762388e-09},
};

/* z from r - 5, where r is from 5 to 28: beyond the smallest double */
static const struct rational far_tail = {
    {6.657904643501104, 5.458896554106275, 1.7811548704461828, 0.2954931594909916, 0.02638093942042354,
     0.0012319189088129876, 2.676710586528057e-05, 1.9724083056857402e-07},
    {1.0, 0.5990979880112279, 0.13654053150958478, 0.01480005443060639, 0.0007804295945252819, 1.8230191126839026e-05,
     1.394694323852965e-07, 1.9364211687891808e-15},
};

static double evaluate(const struct rational *rational, double at)
{
    double above = rational->above[7], below = rational->below[7];
    for (int power = 6; power >= 0; power--) {
        above = above * at + rational->above[power];
        below = below * at + rational->below[power];
    }
    return above / below;
}

double normal_quantile(double u)
{
    double q = u - 0.5;
    if (fabs(q) <= 0.425) return q * evaluate(&middle, 0.180625 - q * q);
    double r = sqrt(-Sleef_cinz_logd1_u10purec(q < 0 ? u : 1 - u));
    double z = r <= 5 ? evaluate(&near_tail, r - 1.6) : evaluate(&far_tail, r - 5);
    return q < 0 ? -z : z;
}

/* What rounding took from the product: a b - product, exactly (Dekker). */
static double product_rest(double a, double b, double product)
{
    static const double splitter = 0x1p27 + 1;
    double a_high = a * splitter - (a * splitter - a), a_low = a - a_high;
    double b_high = b * splitter - (b * splitter - b), b_low = b - b_high;
    return ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low;
}

/* erfc(-x / sqrt 2) / 2. The quotient is rounded, and far out erfc magnifies that by x^2: what was
 * rounded away is put back by the slope. */
double normal_cdf(double x)
{
    static const double root_half = 0x1.6a09e667f3bcdp-1, root_half_rest = -0x1.bdd3413b26456p-55;
    static const double two_over_root_pi = 0x1.20dd750429b6dp+0;
    double at = -x * root_half;
    double rest = product_rest(-x, root_half, at) - x * root_half_rest;
    double slope = -two_over_root_pi * Sleef_cinz_expd1_u10purec(-at * at);
    return 0.5 * (Sleef_cinz_erfcd1_u15purec(at) + slope * rest);
}
