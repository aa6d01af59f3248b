/* The population: the schools, or cells of like schools, that a model runs over. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum phase { PHASE_PRIMARY, PHASE_SECONDARY, PHASE_SPECIAL, PHASE_AP, PHASE_NURSERY, PHASE_COUNT };

#define REGION_COUNT 9          /* region n of 1..9 has the ONS code E1200000n */
#define QUINTILE_COUNT 6        /* 1 least to 5 most disadvantaged; 0: not known */
#define POPULATION_ROWS_MAX 200000

struct authority {
    uint16_t number;            /* the DfE's three-digit number */
    uint8_t region;             /* 1..9 */
    char name[62];              /* UTF-8, ends with NUL */
};

/* Rows in columns, each [count], owned by the population. Shares are 0 to 1, never NaN. */
struct population {
    size_t count;
    uint32_t *urn;              /* a school's reference number; 0 for a cell */
    uint16_t *authority;        /* index into authorities */
    uint8_t *phase;             /* enum phase */
    uint8_t *quintile;          /* 0..5, of FSM6 within phase */
    uint8_t *rise;              /* 1: on the RISE list */
    uint32_t *schools;          /* schools in the row */
    uint32_t *pp50_schools;     /* of these in the top half by pupil premium */
    double *pupils;             /* headcount */
    double *fte;                /* teachers, full-time equivalent, before workforce.fte_scale */
    double *fsm6;               /* share of pupils eligible for free meals in the last six years */
    double *ks4;                /* pupils at the end of key stage 4 */
    double *ks4_fsm6;           /* FSM6 share weighted by KS4 pupils: D of the earnings equation */
    double *ks4_disadvantaged;  /* disadvantaged share of the cohort: D of the gap equation */
    char **name;                /* a school's name, "" when not known; NULL array for cells */
    size_t authority_count;
    struct authority *authorities; /* ascending by number */
};
