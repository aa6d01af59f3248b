/* Areas: the parts of a population that figures are given for. */
#pragma once

#include <stdint.h>

enum area_level { AREA_ENGLAND, AREA_REGION, AREA_AUTHORITY, AREA_SCHOOL, AREA_LEVEL_COUNT };

#define AREA_ALL (-1)

struct area {
    enum area_level level;
    uint32_t key;        /* region 1..9, index of the authority, or row of the school; 0 for England */
    int8_t phase;        /* enum phase, or AREA_ALL */
    int8_t quintile;     /* 0..5, or AREA_ALL */
    char code[12];       /* E92000001, E12000001..9, the authority's three digits, or the URN */
    char name[96];       /* UTF-8 */
};
