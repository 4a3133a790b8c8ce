/* The photometric part of the objective for one clip, forward and backward in one pass, on a CPU.
 *
 * fused.c includes this file once per type of REAL. The mathematics is that of photometric.py and reprojection.py; read those
 * first. Only the order of the work differs:
 * - One clip is finished before the next begins, so that its maps stay in the cache.
 * - The gradient is computed together with the error, while the warped images are still there. That is possible because
 *   the loss is a sum: its gradient is fixed up to one factor, which backward multiplies in.
 * - A pixel of a pinhole camera is projected with two small matrices, H = K R K^-1 and e = K t, without a point cloud
 *   (warp.py: project). For any other lens, tensor operations have projected it, and its place in the source is given.
 *
 * Memory layout: a map is h rows of w numbers; an image is 3 maps, one per channel; a clip is the target image, then its
 * sources. `row` is scratch space for a few rows. */

#define AT(name) JOIN(name, SUFFIX)
#define JOIN(a, b) JOIN_(a, b)
#define JOIN_(a, b) a##_##b

/* As in photometric.py. */
static const REAL AT(C1) = (REAL)1e-4, AT(C2) = (REAL)9e-4;

/* Means over the 3x3 windows of x, x^2 and x t along row `y` of one channel, into 3 rows of `out`. The image is reflected at
 * its border. `column` holds three rows of w + 2 vertical sums: the sum over a column of three serves three windows, and the
 * two extra entries are the reflected columns. */
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

/* Mean and variance of the target's windows, 3 maps each: computed once per clip, for all sources and scales. */
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

/* pe = ssim_weight (1 - SSIM) / 2 + l1_weight |x - t| of every pixel, mean over the channels (paper, section 3.1). */
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

/* Where the pixels of row y of the target project to in a source: their depth, (u', v') not yet clamped to the image, 1 / z. */
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

/* The four neighbours of (u, v), clamped to the image, and the weights between them. A NaN fails both comparisons and becomes
 * 0: no address ever lies outside the image. objective.py makes sure that the loss is NaN then. */
#define NEIGHBOURS(u, v)                                                                                               \
    const REAL uc = (u) > 0 ? ((u) < w - 1 ? (u) : w - 1) : 0, vc = (v) > 0 ? ((v) < h - 1 ? (v) : h - 1) : 0;         \
    const int u0 = (int)uc, v0 = (int)vc, u1 = u0 + (u0 < w - 1), v1 = v0 + (v0 < h - 1);                              \
    const REAL fu = uc - u0, fv = vc - v0;                                                                             \
    const int i00 = v0 * w + u0, i01 = v0 * w + u1, i10 = v1 * w + u0, i11 = v1 * w + u1;

/* One row of the target rebuilt from a source, at given places in it (equation 2). Bilinear; outside the image its border is
 * repeated. */
INLINE void AT(sample_row)(const REAL *source, const REAL *u, const REAL *v, const AT(Settings) * set, REAL *out) {
    const int h = set->h, w = set->w;
    const size_t n = (size_t)h * w;
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

INLINE void AT(synthesize)(const REAL *source, const REAL *disparity, const REAL *H, const REAL *e,
                           const AT(Settings) * set, REAL *row, REAL *warped) {
    const int w = set->w;
    REAL *depth = row, *u = row + w, *v = row + 2 * w, *iz = row + 3 * w;
    for (int y = 0; y < set->h; y++) {
        AT(project_row)(disparity + (size_t)y * w, H, e, set, y, depth, u, v, iz);
        AT(sample_row)(source, u, v, set, warped + (size_t)y * w);
    }
}

/* Gradient of sum(weight * pe) with respect to the rebuilt image x, 3 maps. `weight` is 0 where another candidate won the
 * pixel: by equation 4 such a pixel teaches this source nothing. */
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
        /* First pass: SSIM depends on x through a window's mean, mean square and mean product. Their derivatives, summed
         * along the row over the three windows that a pixel belongs to, go into three maps. */
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
                m[1] += p[0]; /* a window at the edge counts the reflected column twice */
                m[w - 2] += p[w - 1];
            }
        }
        /* Second pass: the same sum across the rows, and the chain rule from the three moments to x. */
        for (int y = 0; y < h; y++) {
            const REAL *xy = xc + (size_t)y * w, *ty = tc + (size_t)y * w;
            REAL *g_y = g + (size_t)y * w;
            for (int k = -1; k <= 1; k++) {
                const int from = y + k;
                if (from < 0 || from >= h) continue;
                /* A window at the top or bottom edge counts the reflected row twice. */
                const int twice = (from == 0 && y == 1) + (from == h - 1 && y == h - 2);
                const REAL times = (REAL)(1 + twice);
                const REAL *m = maps + (size_t)from * w, *mxx = m + n, *mxt = mxx + n;
                SIMD
                for (int i = 0; i < w; i++) g_y[i] += times * (m[i] + 2 * xy[i] * mxx[i] + ty[i] * mxt[i]);
            }
        }
    }
}

/* Chain rule from the gradient of a row of the rebuilt image to the places (u, v) where it was sampled. */
INLINE void AT(place_gradient)(const REAL *source, const REAL *gradient, const REAL *u, const REAL *v,
                               const AT(Settings) * set, REAL *g_u, REAL *g_v) {
    const int h = set->h, w = set->w;
    const size_t n = (size_t)h * w;
    SIMD
    for (int i = 0; i < w; i++) {
        NEIGHBOURS(u[i], v[i])
        REAL gu = 0, gv = 0;
        for (int c = 0; c < 3; c++) {
            const REAL *s = source + c * n;
            const REAL top = s[i01] - s[i00], bottom = s[i11] - s[i10];
            const REAL left = s[i10] - s[i00];
            gu += gradient[c * n + i] * (top + fv * (bottom - top));
            gv += gradient[c * n + i] * (left + fu * (bottom - top));
        }
        g_u[i] = u[i] > 0 && u[i] < w - 1 ? gu : 0; /* no gradient where the coordinate was clamped */
        g_v[i] = v[i] > 0 && v[i] < h - 1 ? gv : 0;
    }
}

/* Chain rule from the gradient of the rebuilt image to the disparity (added to g_disparity: sources share it), H and e. */
INLINE void AT(synthesis_gradient)(const REAL *source, const REAL *disparity, const REAL *gradient, const REAL *H,
                                   const REAL *e, const AT(Settings) * set, REAL *row, REAL *g_disparity, REAL *g_H,
                                   REAL *g_e) {
    const int w = set->w;
    REAL *depth = row, *u = row + w, *v = row + 2 * w, *iz = row + 3 * w, *g_u = row + 4 * w, *g_v = row + 5 * w;
    double total[12] = {0}; /* a whole image is summed into each: in float the last rows would hardly count */
    for (int y = 0; y < set->h; y++) {
        AT(project_row)(disparity + (size_t)y * w, H, e, set, y, depth, u, v, iz);
        AT(place_gradient)(source, gradient + (size_t)y * w, u, v, set, g_u, g_v);
        REAL *gd = g_disparity + (size_t)y * w;
        const REAL min_z = set->min_z, span = set->disparity_span;
        REAL hx = 0, hy = 0, hz = 0, hxu = 0, hyu = 0, hzu = 0, ex = 0, ey = 0, ez = 0;
        REDUCE(hx, hy, hz, hxu, hyu, hzu, ex, ey, ez)
        for (int i = 0; i < w; i++) {
            const REAL gu = g_u[i], gv = g_v[i];
            const REAL d = depth[i];
            const REAL gx = gu * iz[i], gy = gv * iz[i];
            /* No gradient for z where project_row clamped it to min_z. */
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

/* Statistics of the target (6 maps), and the error of each unwarped source (one map each; NULL without auto-mask). Returns 0,
 * or -1 if memory runs out. */
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

/* Equations 4 and 5: which candidate wins each pixel. Writes the auto-mask, replaces the errors by the weight of each source's
 * error in the loss, and returns the sum of the winning errors. An unwarped source wins ties.
 *
 * seen: 0 where the target has no ray, and nothing is compared; NULL if it has one everywhere. A source with an error of UNSEEN
 * does not see the pixel, and is no candidate. A pixel that none sees is left to the unwarped ones, or adds nothing. */
INLINE double AT(choose)(REAL *errors, const REAL *unwarped, const REAL *seen, int sources, const AT(Settings) * set,
                         REAL *automask) {
    const size_t n = (size_t)set->h * set->w;
    double total = 0;
    for (size_t i = 0; i < n; i++) {
        REAL best = set->mean ? 0 : UNSEEN;
        int winner = -1, candidates = 0;
        for (int s = 0; s < sources; s++) {
            const REAL other = errors[s * n + i];
            if (other >= UNSEEN) continue;
            candidates++;
            if (set->mean)
                best += other;
            else if (candidates == 1 || other < best)
                best = other, winner = s;
        }
        const REAL share = set->mean && candidates ? (REAL)1 / candidates : 1;
        best *= share;
        const int counts = !seen || seen[i] > 0;
        const int warped_wins = counts && candidates && (!unwarped || best < unwarped[i]);
        total += warped_wins ? best : counts && unwarped ? unwarped[i] : 0;
        automask[i] = (REAL)warped_wins;
        for (int s = 0; s < sources; s++) {
            const int learns = warped_wins && (set->mean ? errors[s * n + i] < UNSEEN : s == winner);
            errors[s * n + i] = learns ? share : 0;
        }
    }
    return total;
}

/* The photometric error of one clip at one scale, summed over the pixels, and its gradients.
 *
 * unwarped: the static error, tie-break noise included (NULL without auto-mask). g_disparity: one map, or NULL to skip all
 * gradients; g_H, g_e: 9 and 3 numbers per source. Returns 0, or -1 if memory runs out. */
CLONES static int AT(reproject_clip)(const REAL *disparity, const REAL *frames, const REAL *statistics, const REAL *unwarped,
                            const REAL *H, const REAL *e, int sources, const AT(Settings) * set, REAL *automask, double *loss,
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
    *loss = AT(choose)(errors, unwarped, NULL, sources, set, automask);
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

/* reproject_clip for sources whose places are given: maps of u, then v, per source. in_view: one map per source, 0 where it does
 * not see the pixel. seen: as `choose` takes it. g_places: gradients of the layout of the places, or NULL. */
CLONES static int AT(reproject_clip_at)(const REAL *places, const REAL *in_view, const REAL *frames, const REAL *statistics,
                               const REAL *unwarped, const REAL *seen, int sources, const AT(Settings) * set, REAL *automask,
                               double *loss, REAL *g_places) {
    const int h = set->h, w = set->w;
    const size_t n = (size_t)h * w;
    REAL *memory = malloc((AT(row_size)(w) + (4 * sources + 6) * n) * sizeof(REAL));
    if (!memory) return -1;
    REAL *row = memory, *errors = row + AT(row_size)(w), *warped = errors + sources * n;
    REAL *maps = warped + 3 * sources * n, *gradient = maps + 3 * n;
    for (int s = 0; s < sources; s++) {
        const REAL *u = places + 2 * n * s, *v = u + n, *source = frames + 3 * n * (s + 1);
        REAL *x = warped + 3 * n * s, *error = errors + n * s;
        for (int y = 0; y < h; y++)
            AT(sample_row)(source, u + (size_t)y * w, v + (size_t)y * w, set, x + (size_t)y * w);
        AT(photometric_error)(x, frames, statistics, set, row, error);
        for (size_t i = 0; i < n; i++) error[i] = in_view[n * s + i] > 0 ? error[i] : UNSEEN;
    }
    *loss = AT(choose)(errors, unwarped, seen, sources, set, automask);
    for (int s = 0; g_places && s < sources; s++) {
        const REAL *u = places + 2 * n * s, *v = u + n, *source = frames + 3 * n * (s + 1);
        REAL *g_u = g_places + 2 * n * s, *g_v = g_u + n;
        AT(photometric_gradient)(warped + 3 * n * s, frames, statistics, errors + n * s, set, row, maps, gradient);
        for (int y = 0; y < h; y++) {
            const size_t at = (size_t)y * w;
            AT(place_gradient)(source, gradient + at, u + at, v + at, set, g_u + at, g_v + at);
        }
    }
    free(memory);
    return 0;
}

/* prepare_clip for a batch, one clip per task. errors: clips x sources maps, or NULL without auto-mask. */
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

/* reproject_clip for a batch at several scales, all compared at one size. disparity, automask and g_disparity hold one pointer
 * per scale; loss, g_H and g_e are ordered by scale, then clip. g_disparity: NULL to skip all gradients. */
int AT(reprojection)(const REAL *const *disparity, const REAL *frames, const REAL *statistics, const REAL *unwarped,
                     const REAL *H, const REAL *e, int scales, int clips, int sources, const AT(Settings) * set,
                     int threads, REAL *const *automask, double *loss, REAL *const *g_disparity, REAL *g_H, REAL *g_e) {
    const size_t n = (size_t)set->h * set->w;
    int failed = 0;
    THREADS(threads)
    for (int task = 0; task < scales * clips; task++) {
        const int scale = task / clips, b = task % clips;
        failed |= AT(reproject_clip)(disparity[scale] + n * b, frames + (size_t)b * 3 * (sources + 1) * n,
                                     statistics + 6 * n * b, unwarped ? unwarped + n * b : NULL, H + 9 * sources * b,
                                     e + 3 * sources * b, sources, set, automask[scale] + n * b, loss + task,
                                     g_disparity ? g_disparity[scale] + n * b : NULL, g_H + (size_t)9 * sources * task,
                                     g_e + (size_t)3 * sources * task);
    }
    return failed;
}

/* reproject_clip_at for a batch at several scales, as `reprojection`. places, in_view, automask and g_places hold one pointer
 * per scale. g_places: NULL to skip all gradients. */
int AT(reprojection_at)(const REAL *const *places, const REAL *const *in_view, const REAL *frames,
                        const REAL *statistics, const REAL *unwarped, const REAL *seen, int scales, int clips,
                        int sources, const AT(Settings) * set, int threads, REAL *const *automask, double *loss,
                        REAL *const *g_places) {
    const size_t n = (size_t)set->h * set->w;
    int failed = 0;
    THREADS(threads)
    for (int task = 0; task < scales * clips; task++) {
        const int scale = task / clips, b = task % clips;
        const size_t at = 2 * n * sources * b;
        failed |= AT(reproject_clip_at)(places[scale] + at, in_view[scale] + at / 2,
                                        frames + (size_t)b * 3 * (sources + 1) * n, statistics + 6 * n * b,
                                        unwarped ? unwarped + n * b : NULL,
                                        seen ? seen + n * b : NULL, sources, set, automask[scale] + n * b, loss + task,
                                        g_places ? g_places[scale] + at : NULL);
    }
    return failed;
}

#undef AT
