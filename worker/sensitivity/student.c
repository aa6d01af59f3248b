#include "student.h"

#include <math.h>
#include <sleef.h>
#include <stddef.h>

#include "normal.h"

#define PI 3.14159265358979323846

/* Up to here the distribution is summed and inverted; above, its expansion about the normal one is as good. */
#define SUMMED_DEGREES 256

/* The share within t of 0, for whole degrees: Abramowitz and Stegun (1964), 26.7.3 and 26.7.4. */
static double share_within(double t, unsigned degrees)
{
    double square = degrees / (degrees + t * t), sine = t / sqrt(degrees + t * t); /* square of the cosine */
    double term = degrees % 2 ? sqrt(square) : 1, sum = 0;
    for (unsigned k = degrees % 2 ? 3 : 2; k <= degrees; k += 2) {
        sum += term;
        term *= square * (k - 1) / k;
    }
    if (degrees % 2 == 0) return sine * sum;
    return 2 / PI * (Sleef_cinz_atand1_u10purec(t / sqrt(degrees)) + sine * sum);
}

/* The t > 0 that a share lies within: bisection, until the halves are the same number. */
static double invert(double within, unsigned degrees)
{
    double low = 0, high = 1;
    while (share_within(high, degrees) < within && high < 1e300) high *= 2;
    for (;;) {
        double middle = (low + high) / 2;
        if (middle <= low || middle >= high) return middle;
        if (share_within(middle, degrees) < within) low = middle;
        else high = middle;
    }
}

/* Abramowitz and Stegun (1964), 26.7.5. */
static double expand(double u, double degrees)
{
    double x = normal_quantile(u), s = x * x;
    double g1 = (s + 1) / 4;
    double g2 = ((5 * s + 16) * s + 3) / 96;
    double g3 = (((3 * s + 19) * s + 17) * s - 15) / 384;
    double g4 = ((((79 * s + 776) * s + 1482) * s - 1920) * s - 945) / 92160;
    return x * (1 + (g1 + (g2 + (g3 + g4 / degrees) / degrees) / degrees) / degrees);
}

double student_quantile(double u, double degrees)
{
    if (degrees > SUMMED_DEGREES) return expand(u, degrees);
    double t = invert(fabs(1 - 2 * u), (unsigned)degrees);
    return u < 0.5 ? -t : t;
}
