/* The fused objective as a plain C library: float for training, double for comparison with reference values.
 * Needs no header but the compiler's own. binding.py calls it. */

#include <stddef.h>
#include <stdlib.h>

#define INLINE static inline __attribute__((always_inline))
#define PRAGMA(text) _Pragma(#text)
#define SIMD PRAGMA(omp simd)
#define REDUCE(...) PRAGMA(omp simd reduction(+ : __VA_ARGS__))
#define THREADS(n) PRAGMA(omp parallel for schedule(dynamic) num_threads(n) reduction(| : failed))
#define ABS(x) ((x) < 0 ? -(x) : (x))

/* One library for every processor: the widest vectors that this one has are chosen when it is loaded. */
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__)
#define CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define CLONES
#endif

/* The order and kinds are those of binding.py; inverse_far and disparity_span come from geometry/depth_range.py. */
#define SETTINGS(REAL)                                                                                                 \
    struct {                                                                                                           \
        int h, w, mean;                                                                                                \
        REAL ssim_weight, l1_weight, inverse_far, disparity_span, min_z;                                               \
    }
typedef SETTINGS(float) Settings_f32;
typedef SETTINGS(double) Settings_f64;

#define REAL float
#define SUFFIX f32
#include "fused_kernel.h"
#undef REAL
#undef SUFFIX

#define REAL double
#define SUFFIX f64
#include "fused_kernel.h"
