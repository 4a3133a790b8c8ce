/* The photometric part of the objective for one clip, forward and backward in one pass, on a processor.
 *
 * Included by fused.c once for each REAL. The same mathematics as photometric.py and objective.py, which say what it
 * means; here only the order of work differs: everything of a clip stays in the cache, nothing of full size is kept for
 * a backward pass (the gradient of a sum is known up to one factor, so it is made at once), and a point is two small
 * matrices away from its pixel (K R K^-1 and K t).
 *
 * Maps are rows of w; an image is 3 maps; a clip is the target and its sources. */

#define AT(name) JOIN(name, SUFFIX)
#define JOIN(a, b) JOIN_(a, b)
#define JOIN_(a, b) a##_##b

static const REAL AT(C1) = (REAL)1e-4, AT(C2) = (REAL)9e-4;

/* Sums over 3x3 windows of x, x^2 and x y along row `y` of one channel. Beyond the border the image is reflected: `column`
 * holds three rows of w + 2 vertical sums, whose ends are filled in. */
INLINE void AT(window_sums)(const REAL *x, const REAL *t, int h, int w, int y, REAL *column, REAL *out) {
    const size_t above = (size_t)(y > 0 ? y - 1 : 1) * w, here = (size_t)y * w;
    const size_t below = (size_t)(y < h - 1 ? y + 1 : h - 2) * w;
    const REAL *xa = x + above, *xh = x + here, *xb = x + below, *ta = t + above, *th = t + here, *tb = t + below;
    REAL *sx = column, *sxx = column + (w + 2), *sxt = column + 2 * (w + 2);
    SIMD
    for (int i = 0; i < w; i++) {
        sx[i + 1] = xa[i] + xh[i] + xb[i];
        sxx[i + 1] = xa[i] * xa[i] + xh[i] * xh[i] + xb[i] * xb[i];
        sxt[i + 1] = xa[i] * ta[i] + xh[i] * th[i] + xb[i] * tb[i];
    }
    for (int k = 0; k < 3; k++) {
        REAL *s = column + k * (w + 2), *o = out + k * w;
        s[0] = s[2];
        s[w + 1] = s[w - 1];
        SIMD
        for (int i = 0; i < w; i++) o[i] = (s[i] + s[i + 1] + s[i + 2]) * (REAL)(1.0 / 9);
    }
}

/* Mean and variance of the target's windows, 3 maps each. */
INLINE void AT(target_statistics)(const REAL *target, int h, int w, REAL *row, REAL *statistics) {
    const size_t n = (size_t)h * w;
    for (int c = 0; c < 3; c++)
        for (int y = 0; y < h; y++) {
            REAL *mean = statistics + c * n + (size_t)y * w, *variance = mean + 3 * n;
            AT(window_sums)(target + c * n, target + c * n, h, w, y, row, row + 3 * (w + 2));
            const REAL *m = row + 3 * (w + 2), *mm = m + w;
            SIMD
            for (int i = 0; i < w; i++) mean[i] = m[i], variance[i] = mm[i] - m[i] * m[i];
        }
}

/* pe = ssim_weight (1 - SSIM) / 2 + l1_weight |x - t|, mean over the channels, for all pixels. */
INLINE void AT(photometric_error)(const REAL *x, const REAL *target, const REAL *statistics, const AT(Settings) * set,
                                  REAL *row, REAL *error) {
    const int h = set->h, w = set->w;
    const size_t n = (size_t)h * w;
    REAL *column = row, *sums = row + 3 * (w + 2);
    for (int y = 0; y < h; y++) {
        REAL *e = error + (size_t)y * w;
        for (int c = 0; c < 3; c++) {
            const size_t at = c * n + (size_t)y * w;
            const REAL *a = x + at, *b = target + at, *mean_t = statistics + at, *var_t = statistics + 3 * n + at;
            const REAL share = set->l1_weight / 3, ssim_share = set->ssim_weight / 3;
            if (ssim_share == 0) {
                SIMD
                for (int i = 0; i < w; i++) e[i] = (c ? e[i] : 0) + share * ABS(a[i] - b[i]);
                continue;
            }
            AT(window_sums)(x + c * n, target + c * n, h, w, y, column, sums);
            SIMD
            for (int i = 0; i < w; i++) {
                const REAL mx = sums[i], mt = mean_t[i], vx = sums[w + i] - mx * mx, cov = sums[2 * w + i] - mx * mt;
                const REAL top = (2 * mx * mt + AT(C1)) * (2 * cov + AT(C2));
                const REAL bottom = (mx * mx + mt * mt + AT(C1)) * (vx + var_t[i] + AT(C2));
                const REAL d = (1 - top / bottom) / 2, clamped = d < 0 ? 0 : d > 1 ? 1 : d;
                e[i] = (c ? e[i] : 0) + ssim_share * clamped + share * ABS(a[i] - b[i]);
            }
        }
    }
}

/* Where row y of the target is seen in a source: depth, and u', v' before they are clamped to the image, and 1 / z. */
INLINE void AT(project_row)(const REAL *disparity, const REAL *H, const REAL *e, const AT(Settings) * set, int y,
                            REAL *depth, REAL *u, REAL *v, REAL *inverse_z) {
    SIMD
    for (int i = 0; i < set->w; i++) {
        const REAL d = 1 / (set->inverse_far + set->disparity_span * disparity[i]); /* DepthRange.depth */
        const REAL px = d * (H[0] * i + H[1] * y + H[2]) + e[0];
        const REAL py = d * (H[3] * i + H[4] * y + H[5]) + e[1];
        const REAL pz = d * (H[6] * i + H[7] * y + H[8]) + e[2];
        const REAL iz = 1 / (pz > set->min_z ? pz : set->min_z);
        depth[i] = d, u[i] = px * iz, v[i] = py * iz, inverse_z[i] = iz;
    }
}

/* The four neighbours of (u, v) clamped to the image; not-a-number becomes 0, so that no address is ever outside. */
#define NEIGHBOURS(u, v)                                                                                               \
    const REAL uc = (u) > 0 ? ((u) < w - 1 ? (u) : w - 1) : 0, vc = (v) > 0 ? ((v) < h - 1 ? (v) : h - 1) : 0;         \
    const int u0 = (int)uc, v0 = (int)vc, u1 = u0 + (u0 < w - 1), v1 = v0 + (v0 < h - 1);                              \
    const REAL fu = uc - u0, fv = vc - v0;                                                                             \
    const int i00 = v0 * w + u0, i01 = v0 * w + u1, i10 = v1 * w + u0, i11 = v1 * w + u1;

/* The source rebuilt as the target (equation 2), bilinear, border repeated. */
INLINE void AT(synthesize)(const REAL *source, const REAL *disparity, const REAL *H, const REAL *e,
                           const AT(Settings) * set, REAL *row, REAL *warped) {
    const int h = set->h, w = set->w;
    const size_t n = (size_t)h * w;
    REAL *depth = row, *u = row + w, *v = row + 2 * w, *iz = row + 3 * w;
    for (int y = 0; y < h; y++) {
        AT(project_row)(disparity + (size_t)y * w, H, e, set, y, depth, u, v, iz);
        REAL *out = warped + (size_t)y * w;
        SIMD
        for (int i = 0; i < w; i++) {
            NEIGHBOURS(u[i], v[i])
            for (int c = 0; c < 3; c++) {
                const REAL *s = source + c * n;
                const REAL top = s[i00] + fu * (s[i01] - s[i00]), bottom = s[i10] + fu * (s[i11] - s[i10]);
                out[c * n + i] = top + fv * (bottom - top);
            }
        }
    }
}

/* Gradient of sum(weight * pe) with respect to x, 3 maps; `weight` is 0 where this source did not win. */
INLINE void AT(photometric_gradient)(const REAL *x, const REAL *target, const REAL *statistics, const REAL *weight,
                                     const AT(Settings) * set, REAL *row, REAL *maps, REAL *gradient) {
    const int h = set->h, w = set->w;
    const size_t n = (size_t)h * w;
    REAL *column = row, *sums = row + 3 * (w + 2), *parts = sums + 3 * w; /* parts: 3 rows with a 0 at either end */
    for (int c = 0; c < 3; c++) {
        const REAL *xc = x + c * n, *tc = target + c * n;
        const REAL share = set->l1_weight / 3, ssim_share = set->ssim_weight / 3;
        REAL *g = gradient + c * n;
        SIMD
        for (size_t i = 0; i < n; i++)
            g[i] = share * weight[i] * ((xc[i] > tc[i] ? (REAL)1 : (REAL)0) - (xc[i] < tc[i] ? (REAL)1 : (REAL)0));
        if (ssim_share == 0) continue;
        /* Derivatives by the window's mean, mean square and mean product, summed along the row over the windows that a
         * pixel is part of. */
        for (int y = 0; y < h; y++) {
            const size_t at = c * n + (size_t)y * w;
            const REAL *mean_t = statistics + at, *var_t = statistics + 3 * n + at, *g_y = weight + (size_t)y * w;
            REAL *pm = parts + 1, *pxx = pm + (w + 2), *pxt = pxx + (w + 2);
            AT(window_sums)(xc, tc, h, w, y, column, sums);
            SIMD
            for (int i = 0; i < w; i++) {
                const REAL mx = sums[i], mt = mean_t[i], vx = sums[w + i] - mx * mx, cov = sums[2 * w + i] - mx * mt;
                const REAL n1 = 2 * mx * mt + AT(C1), n2 = 2 * cov + AT(C2);
                const REAL d1 = mx * mx + mt * mt + AT(C1), d2 = vx + var_t[i] + AT(C2);
                const REAL over = 1 / (d1 * d2), similarity = n1 * n2 * over, d = (1 - similarity) / 2;
                const REAL k = d < 0 || d > 1 ? 0 : g_y[i] * ssim_share * (REAL)(-0.5 / 9);
                pm[i] = k * 2 * over * (mt * (n2 - n1) - mx * similarity * (d2 - d1));
                pxx[i] = -k * similarity * d1 * over;
                pxt[i] = k * 2 * n1 * over;
            }
            for (int k = 0; k < 3; k++) {
                REAL *p = parts + 1 + k * (w + 2), *m = maps + k * n + (size_t)y * w;
                p[-1] = p[w] = 0;
                SIMD
                for (int i = 0; i < w; i++) m[i] = p[i - 1] + p[i] + p[i + 1];
                m[1] += p[0]; /* the reflected columns */
                m[w - 2] += p[w - 1];
            }
        }
        for (int y = 0; y < h; y++) {
            const REAL *xy = xc + (size_t)y * w, *ty = tc + (size_t)y * w;
            REAL *g_y = g + (size_t)y * w;
            for (int k = -1; k <= 1; k++) {
                const int from = y + k;
                if (from < 0 || from >= h) continue;
                /* Twice where the window's other row is a reflection of this one. */
                const int twice = (from == 0 && y == 1) + (from == h - 1 && y == h - 2);
                const REAL times = (REAL)(1 + twice);
                const REAL *m = maps + (size_t)from * w, *mxx = m + n, *mxt = mxx + n;
                SIMD
                for (int i = 0; i < w; i++) g_y[i] += times * (m[i] + 2 * xy[i] * mxx[i] + ty[i] * mxt[i]);
            }
        }
    }
}

/* From the gradient of the rebuilt image to that of disparity (added to), H and e. */
INLINE void AT(synthesis_gradient)(const REAL *source, const REAL *disparity, const REAL *gradient, const REAL *H,
                                   const REAL *e, const AT(Settings) * set, REAL *row, REAL *g_disparity, REAL *g_H,
                                   REAL *g_e) {
    const int h = set->h, w = set->w;
    const size_t n = (size_t)h * w;
    REAL *depth = row, *u = row + w, *v = row + 2 * w, *iz = row + 3 * w;
    double total[12] = {0};
    for (int y = 0; y < h; y++) {
        AT(project_row)(disparity + (size_t)y * w, H, e, set, y, depth, u, v, iz);
        const REAL *g = gradient + (size_t)y * w;
        REAL *gd = g_disparity + (size_t)y * w;
        const REAL min_z = set->min_z, span = set->disparity_span;
        REAL hx = 0, hy = 0, hz = 0, hxu = 0, hyu = 0, hzu = 0, ex = 0, ey = 0, ez = 0;
        REDUCE(hx, hy, hz, hxu, hyu, hzu, ex, ey, ez)
        for (int i = 0; i < w; i++) {
            NEIGHBOURS(u[i], v[i])
            REAL gu = 0, gv = 0;
            for (int c = 0; c < 3; c++) {
                const REAL *s = source + c * n;
                const REAL top = s[i01] - s[i00], bottom = s[i11] - s[i10];
                const REAL left = s[i10] - s[i00];
                gu += g[c * n + i] * (top + fv * (bottom - top));
                gv += g[c * n + i] * (left + fu * (bottom - top));
            }
            gu = u[i] > 0 && u[i] < w - 1 ? gu : 0; /* no gradient where the coordinate was clamped */
            gv = v[i] > 0 && v[i] < h - 1 ? gv : 0;
            const REAL d = depth[i];
            const REAL gx = gu * iz[i], gy = gv * iz[i];
            const REAL gz = iz[i] * min_z < 1 ? -(gu * u[i] + gv * v[i]) * iz[i] : 0;
            const REAL rx = H[0] * i + H[1] * y + H[2], ry = H[3] * i + H[4] * y + H[5];
            const REAL rz = H[6] * i + H[7] * y + H[8];
            gd[i] -= (gx * rx + gy * ry + gz * rz) * d * d * span;
            hx += gx * d, hy += gy * d, hz += gz * d;
            hxu += gx * d * i, hyu += gy * d * i, hzu += gz * d * i;
            ex += gx, ey += gy, ez += gz;
        }
        const double row_sums[12] = {hxu, (double)hx * y, hx, hyu, (double)hy * y, hy, hzu, (double)hz * y, hz, ex, ey, ez};
        for (int k = 0; k < 12; k++) total[k] += row_sums[k];
    }
    for (int k = 0; k < 9; k++) g_H[k] = (REAL)total[k];
    for (int k = 0; k < 3; k++) g_e[k] = (REAL)total[9 + k];
}

static size_t AT(row_size)(int w) { return (size_t)12 * (w + 2); }

/* Statistics of the target (6 maps), and the error of each source as it is (one map each; NULL: not wanted). Returns 0, or -1
 * when there is no memory. */
CLONES static int AT(prepare_clip)(const REAL *frames, int sources, const AT(Settings) * set, REAL *statistics, REAL *errors) {
    const size_t n = (size_t)set->h * set->w;
    REAL *row = malloc(AT(row_size)(set->w) * sizeof(REAL));
    if (!row) return -1;
    AT(target_statistics)(frames, set->h, set->w, row, statistics);
    for (int s = 0; errors && s < sources; s++)
        AT(photometric_error)(frames + 3 * n * (s + 1), frames, statistics, set, row, errors + s * n);
    free(row);
    return 0;
}

/* Which candidate wins each pixel: writes keep, and in the errors' place the weight of each source's error. */
INLINE double AT(choose)(REAL *errors, const REAL *unwarped, int sources, const AT(Settings) * set, REAL *keep) {
    const size_t n = (size_t)set->h * set->w;
    const REAL share = set->mean ? (REAL)1 / sources : 1;
    double total = 0;
    for (size_t i = 0; i < n; i++) {
        REAL best = errors[i];
        int winner = 0;
        for (int s = 1; s < sources; s++) {
            const REAL other = errors[s * n + i];
            if (set->mean)
                best += other;
            else if (other < best)
                best = other, winner = s;
        }
        best *= share;
        const int kept = !unwarped || best < unwarped[i];
        total += kept ? best : unwarped[i];
        keep[i] = (REAL)kept;
        for (int s = 0; s < sources; s++) errors[s * n + i] = kept && (set->mean || s == winner) ? share : 0;
    }
    return total;
}

/* The photometric error of one clip at one scale, summed over the pixels, and its gradients.
 *
 * unwarped: the static error (NULL without auto-mask). g_disparity: h w, or NULL where no gradient is wanted; g_H, g_e: 9 and
 * 3 a source. Returns 0, or -1 when there is no memory. */
CLONES static int AT(reproject_clip)(const REAL *disparity, const REAL *frames, const REAL *statistics, const REAL *unwarped,
                            const REAL *H, const REAL *e, int sources, const AT(Settings) * set, REAL *keep, double *loss,
                            REAL *g_disparity, REAL *g_H, REAL *g_e) {
    const size_t n = (size_t)set->h * set->w;
    REAL *memory = malloc((AT(row_size)(set->w) + (4 * sources + 6) * n) * sizeof(REAL));
    if (!memory) return -1;
    REAL *row = memory, *errors = row + AT(row_size)(set->w), *warped = errors + sources * n;
    REAL *maps = warped + 3 * sources * n, *gradient = maps + 3 * n;
    for (int s = 0; s < sources; s++) {
        AT(synthesize)(frames + 3 * n * (s + 1), disparity, H + 9 * s, e + 3 * s, set, row, warped + 3 * n * s);
        AT(photometric_error)(warped + 3 * n * s, frames, statistics, set, row, errors + n * s);
    }
    *loss = AT(choose)(errors, unwarped, sources, set, keep);
    if (g_disparity) {
        for (size_t i = 0; i < n; i++) g_disparity[i] = 0;
        for (int s = 0; s < sources; s++) {
            AT(photometric_gradient)(warped + 3 * n * s, frames, statistics, errors + n * s, set, row, maps, gradient);
            AT(synthesis_gradient)(frames + 3 * n * (s + 1), disparity, gradient, H + 9 * s, e + 3 * s, set, row,
                                   g_disparity, g_H + 9 * s, g_e + 3 * s);
        }
    }
    free(memory);
    return 0;
}

/* The same for a batch, on several threads. errors: clips x sources maps, or NULL. */
int AT(prepare)(const REAL *frames, int clips, int sources, const AT(Settings) * set, int threads, REAL *statistics,
                REAL *errors) {
    const size_t n = (size_t)set->h * set->w;
    int failed = 0;
    THREADS(threads)
    for (int b = 0; b < clips; b++)
        failed |= AT(prepare_clip)(frames + (size_t)b * 3 * (sources + 1) * n, sources, set, statistics + 6 * n * b,
                                   errors ? errors + (size_t)b * sources * n : NULL);
    return failed;
}

/* The same for a batch at several scales, all compared at one size: one pointer for each scale; loss, g_H and g_e are by
 * scale, then clip. g_disparity: NULL where no gradient is wanted. */
int AT(reprojection)(const REAL *const *disparity, const REAL *frames, const REAL *statistics, const REAL *unwarped,
                     const REAL *H, const REAL *e, int scales, int clips, int sources, const AT(Settings) * set,
                     int threads, REAL *const *keep, double *loss, REAL *const *g_disparity, REAL *g_H, REAL *g_e) {
    const size_t n = (size_t)set->h * set->w;
    int failed = 0;
    THREADS(threads)
    for (int task = 0; task < scales * clips; task++) {
        const int scale = task / clips, b = task % clips;
        failed |= AT(reproject_clip)(disparity[scale] + n * b, frames + (size_t)b * 3 * (sources + 1) * n,
                                     statistics + 6 * n * b, unwarped ? unwarped + n * b : NULL, H + 9 * sources * b,
                                     e + 3 * sources * b, sources, set, keep[scale] + n * b, loss + task,
                                     g_disparity ? g_disparity[scale] + n * b : NULL, g_H + (size_t)9 * sources * task,
                                     g_e + (size_t)3 * sources * task);
    }
    return failed;
}

#undef AT
