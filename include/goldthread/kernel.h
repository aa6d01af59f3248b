/* Kernels: inner loops compiled once per vector width. */
#pragma once

/* Marks a static function of which the loader picks the widest clone that the CPU has. All give the same
 * bits: nothing is reassociated or contracted (-ffp-contract=off). Static, because clang 14 names a clone
 * so that no other file can call it; one width under the thread sanitizer, which cannot start a program
 * whose loader must pick. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define KERNEL_ONE_WIDTH
#endif
#endif
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__) && !defined(KERNEL_ONE_WIDTH)
#define KERNEL __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define KERNEL
#endif

/* A helper that takes the width of the kernel that calls it. */
#define KERNEL_INLINE static inline __attribute__((always_inline))
