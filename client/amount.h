/* Figures as people and programs read them. Pure. */
#pragma once

#include <jansson.h>
#include <stddef.h>

#define AMOUNT_BYTES 352 /* of any double without an exponent */

/* How a measure's unit is written behind a figure, and what the figure is multiplied by: pounds come in millions; a
 * ratio and the number of a year have no unit. */
struct amount_unit {
    double scale;
    const char *name; /* borrowed from the measure, or a literal */
};

struct amount_unit amount_unit(const char *unit);

/* So many significant digits, all digits before the point, no exponent (but below 1e-9 and from 1e21 on), no zeros at
 * the end and no "-0". "-" for what is undefined. */
void amount_text(double value, int digits, char text[AMOUNT_BYTES]);

/* So many decimals, for figures that stand side by side; no "-0.00"; from 1e21 on six digits and an exponent. "-" for
 * what is undefined. */
void amount_fixed(double value, int decimals, char text[AMOUNT_BYTES]);

/* Decimals that show so many significant digits of a value: 0 to 12. */
int amount_decimals(double value, int digits);

/* "0.14 %", "12 %", "better than 0.01 %": how well something is known, as a share of it. */
void amount_percent(double share, char text[AMOUNT_BYTES]);

/* A number, which is never -0, or null for what is undefined. The caller owns it. */
json_t *amount_json(double value);
