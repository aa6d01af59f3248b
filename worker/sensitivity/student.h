/* Student's t distribution, the same to the bit on every machine. */
#pragma once

/* The value below which a share u of draws lies; 0 < u < 1; degrees: a whole number, at least 1. Within 1e-9 relative
 * for u from 0.0001 to 0.9999, farther out within 1e-7. */
double student_quantile(double u, double degrees);
