/* What this machine's processors and memory can do, without a framework: the oracle of suites/oracle.py.
 *
 * cc -O3 -march=native -fopenmp oracle.c && ./a.out THREADS BYTES_PER_ARRAY SECONDS
 * Prints the best rates: FLOP/s of multiply-adds in registers (the peak), bytes/s of STREAM's triad (a = b + 3 c: two
 * arrays read, one written), with plain stores and, where there are such, with stores that pass the caches by: a plain
 * one reads the line that it is going to overwrite.
 */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#ifdef __AVX__
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define WIDTH 16
#elif defined(__AVX__)
#define WIDTH 8
#else
#define WIDTH 4
#endif
typedef float vector __attribute__((vector_size(WIDTH * sizeof(float))));
enum { CHAINS = 12, STEPS = 4000000 }; /* more chains than a multiply-add takes cycles, fewer than registers */

static double multiply_adds(volatile float *sink)
{
    double start = omp_get_wtime();
#pragma omp parallel
    {
        vector chain[CHAINS], factor, term;
        for (int lane = 0; lane < WIDTH; lane++) {
            factor[lane] = 0.999f + sink[0];
            term[lane] = 0.001f + sink[0];
            for (int i = 0; i < CHAINS; i++)
                chain[i][lane] = (float)i;
        }
        for (long step = 0; step < STEPS; step++)
            for (int i = 0; i < CHAINS; i++)
                chain[i] = chain[i] * factor + term;
        float sum = 0;
        for (int i = 0; i < CHAINS; i++)
            for (int lane = 0; lane < WIDTH; lane++)
                sum += chain[i][lane];
        if (sum == 12345.678f) /* never; but the compiler cannot know, so the work is done */
            sink[0] = sum;
    }
    double seconds = omp_get_wtime() - start;
    return 2.0 * STEPS * CHAINS * WIDTH * omp_get_max_threads() / seconds;
}

static double triad(float *restrict a, const float *restrict b, const float *restrict c, size_t elements, int streaming)
{
    double start = omp_get_wtime();
#ifdef __AVX__
    if (streaming) {
        __m256 three = _mm256_set1_ps(3.0f);
#pragma omp parallel for schedule(static)
        for (size_t i = 0; i < elements / 8 * 8; i += 8) {
            __m256 product = _mm256_mul_ps(three, _mm256_load_ps(c + i));
            _mm256_stream_ps(a + i, _mm256_add_ps(_mm256_load_ps(b + i), product));
        }
        return 3.0 * sizeof(float) * elements / (omp_get_wtime() - start);
    }
#endif
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < elements; i++)
        a[i] = b[i] + 3.0f * c[i];
    return 3.0 * sizeof(float) * elements / (omp_get_wtime() - start);
}

int main(int count, char **arguments)
{
    if (count != 4)
        return 2;
    omp_set_num_threads(atoi(arguments[1]));
    size_t elements = strtoull(arguments[2], NULL, 10) / sizeof(float);
    double budget = atof(arguments[3]);
    float *arrays[3];
    for (int k = 0; k < 3; k++) {
        if (posix_memalign((void **)&arrays[k], 64, elements * sizeof(float)))
            return 1;
#pragma omp parallel for schedule(static) /* by the threads that read it later: memory of their own node */
        for (size_t i = 0; i < elements; i++)
            arrays[k][i] = (float)k;
    }
    volatile float zero = 0;
    double best[2] = {0, 0};
    for (double end = omp_get_wtime() + budget; omp_get_wtime() < end;) {
        double rate = multiply_adds(&zero);
        if (rate > best[0])
            best[0] = rate;
        for (int streaming = 0; streaming < 2; streaming++) {
            rate = triad(arrays[0], arrays[1], arrays[2], elements, streaming);
            if (rate > best[1])
                best[1] = rate;
        }
    }
    printf("%.6g %.6g %g\n", best[0], best[1], (double)arrays[0][elements / 2]);
    return 0;
}
