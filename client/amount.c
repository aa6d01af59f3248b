#include "amount.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define LEAST        1e-9
#define MOST         1e21 /* nobody counts the digits of what is above, and a line has no room for them */
#define DECIMALS_MAX 12
#define MOST_SURE    0.0001 /* a share: nobody needs to know what is below */

struct amount_unit amount_unit(const char *unit)
{
    if (strcmp(unit, "GBP") == 0) return (struct amount_unit){1e-6, "GBP million"};
    const bool says_nothing = strcmp(unit, "ratio") == 0 || strcmp(unit, "year") == 0;
    return (struct amount_unit){1, says_nothing ? "" : unit};
}

int amount_decimals(double value, int digits)
{
    const double decimals = value == 0 || !isfinite(value) ? 0 : digits - 1 - floor(log10(fabs(value)));
    return decimals > 0 ? decimals < DECIMALS_MAX ? (int)decimals : DECIMALS_MAX : 0;
}

void amount_fixed(double value, int decimals, char text[AMOUNT_BYTES])
{
    if (isfinite(value) && fabs(value) >= MOST) {
        snprintf(text, AMOUNT_BYTES, "%.6g", value);
        return;
    }
    snprintf(text, AMOUNT_BYTES, isfinite(value) ? "%.*f" : "-", decimals, value);
    const char *digits = text + (text[0] == '-');
    if (digits > text && strspn(digits, "0.") == strlen(digits)) memmove(text, digits, strlen(digits) + (*digits != 0));
}

void amount_text(double value, int digits, char text[AMOUNT_BYTES])
{
    if (value != 0 && isfinite(value) && (fabs(value) < LEAST || fabs(value) >= MOST)) {
        snprintf(text, AMOUNT_BYTES, "%.*g", digits, value);
        return;
    }
    amount_fixed(value, amount_decimals(value, digits), text);
    if (!strchr(text, '.')) return;
    char *end = text + strlen(text);
    while (end[-1] == '0') *--end = '\0';
    if (end[-1] == '.') end[-1] = '\0';
}

void amount_percent(double share, char text[AMOUNT_BYTES])
{
    char number[AMOUNT_BYTES];
    const double percent = 100 * share;
    if (share < MOST_SURE) snprintf(text, AMOUNT_BYTES, "better than %g %%", 100 * MOST_SURE);
    else if (percent >= 10) snprintf(text, AMOUNT_BYTES, "%.0f %%", percent);
    else amount_text(percent, 2, number), snprintf(text, AMOUNT_BYTES, "%.300s %%", number);
}

json_t *amount_json(double value)
{
    if (!isfinite(value)) return json_null();
    return json_real(value == 0 ? 0 : value);
}
