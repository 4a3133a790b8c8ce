/* The fused objective as a plain C library: float for training, double for comparison with reference values.
 *
 * It includes C standard headers only, none of Python or torch, so that one build works with every version of both.
 * binding.py calls it through ctypes. */

#include <stddef.h>
#include <stdlib.h>

#define INLINE static inline __attribute__((always_inline))
#define PRAGMA(text) _Pragma(#text)
#define SIMD PRAGMA(omp simd)
#define REDUCE(...) PRAGMA(omp simd reduction(+ : __VA_ARGS__))
#define THREADS(n) PRAGMA(omp parallel for schedule(dynamic) num_threads(n) reduction(| : failed))
#define UNSEEN 3 /* more than any photometric error */
#define ABS(x) ((x) < 0 ? -(x) : (x))

/* One library for every x86 CPU: each function is compiled several times, and the loader takes the one with the widest
 * vectors that the machine has. */
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__)
#define CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define CLONES
#endif

/* binding.py fills this struct: the order and the types of the fields must match there. inverse_far and disparity_span come
 * from geometry/depth_range.py, min_z from geometry/warp.py; `mean` is 1 for the mean over the sources, 0 for the minimum. */
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
