/* The standard normal distribution, the same to the bit on every machine. */
#pragma once

/* The share of draws below x, within 1e-15 relative for x from -37 to 37. */
double normal_cdf(double x);

/* The value below which a share u of draws lies; 0 < u < 1. Within 1e-15 relative. */
double normal_quantile(double u);
