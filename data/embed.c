#include "embed.h"

/* The assembler copies the file into the read-only data; EMBED_FOLDER comes from embed.cmake. */
#define EMBED(name, file)                                                                                              \
    __asm__(".pushsection .rodata\n"                                                                                   \
            ".global embedded_" #name "_start\n"                                                                       \
            ".hidden embedded_" #name "_start\n"                                                                       \
            "embedded_" #name "_start:\n"                                                                              \
            ".incbin \"" EMBED_FOLDER "/" file "\"\n"                                                                  \
            ".global embedded_" #name "_end\n"                                                                         \
            ".hidden embedded_" #name "_end\n"                                                                         \
            "embedded_" #name "_end:\n"                                                                                \
            ".byte 0\n"                                                                                                \
            ".popsection\n");                                                                                          \
    extern const uint8_t embedded_##name##_start[], embedded_##name##_end[];                                           \
    struct span embed_##name(void)                                                                                     \
    {                                                                                                                  \
        return (struct span){embedded_##name##_start, (size_t)(embedded_##name##_end - embedded_##name##_start)};      \
    }

EMBED(england_2023, "england-2023.csv")
EMBED(parameters, "parameters.csv")
EMBED(sources, "sources.csv")
