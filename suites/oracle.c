/* What this machine's processors and memory can do, without a framework: the oracle of suites/oracle.py.
 *
 * cc -O3 -march=native -fopenmp oracle.c && ./a.out THREADS BYTES_PER_ARRAY
 * Reads lines "memory SECONDS", "streaming SECONDS" or "product SECONDS" and answers each with the best rate of so long
 * a turn: bytes/s of STREAM's triad (a = b + 3 c: two arrays read, one written), with plain stores and with stores that
 * pass the caches by (a plain one reads the line that it is going to overwrite); FLOP/s of multiply-adds in registers.
 * The arrays stay where they are from one turn to the next.
 */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
enum { RUNS = 3 }; /* of a turn at least, as hwprobe's ceilings have it */

static float *a, *b, *c;
static size_t elements;

static double product(void)
{
    static volatile float zero = 0;
    double start = omp_get_wtime();
#pragma omp parallel
    {
        vector chain[CHAINS], factor, term;
        for (int lane = 0; lane < WIDTH; lane++) {
            factor[lane] = 0.999f + zero;
            term[lane] = 0.001f + zero;
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
            zero = sum;
    }
    return 2.0 * STEPS * CHAINS * WIDTH * omp_get_max_threads() / (omp_get_wtime() - start);
}

static double memory(void)
{
    float *restrict to = a;
    double start = omp_get_wtime();
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < elements; i++)
        to[i] = b[i] + 3.0f * c[i];
    return 3.0 * sizeof(float) * elements / (omp_get_wtime() - start);
}

static double streaming(void)
{
#ifdef __AVX__
    double start = omp_get_wtime();
    const __m256 three = _mm256_set1_ps(3.0f);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < elements; i += 8) {
        __m256 product = _mm256_mul_ps(three, _mm256_load_ps(c + i));
        _mm256_stream_ps(a + i, _mm256_add_ps(_mm256_load_ps(b + i), product));
    }
    return 3.0 * sizeof(float) * elements / (omp_get_wtime() - start);
#else
    return memory(); /* no such stores without the compiler's own words for them */
#endif
}

/* The best of a turn, after one run to warm up. */
static double best(double (*run)(void), double seconds)
{
    double most = 0, end = omp_get_wtime() + seconds;
    run();
    for (int runs = 0; runs < RUNS || omp_get_wtime() < end; runs++) {
        double rate = run();
        most = rate > most ? rate : most;
    }
    return most;
}

int main(int count, char **arguments)
{
    if (count != 3)
        return 2;
    omp_set_num_threads(atoi(arguments[1]));
    elements = strtoull(arguments[2], NULL, 10) / 64 * 64 / sizeof(float);
    float **arrays[] = {&a, &b, &c};
    for (int k = 0; k < 3; k++) {
        if (posix_memalign((void **)arrays[k], 64, elements * sizeof(float)))
            return 1;
        float *array = *arrays[k];
#pragma omp parallel for schedule(static) /* by the threads that read it later: memory of their own node */
        for (size_t i = 0; i < elements; i++)
            array[i] = (float)k;
    }
    char line[64], what[16];
    double seconds;
    while (fgets(line, sizeof line, stdin) && sscanf(line, "%15s %lf", what, &seconds) == 2) {
        int is_product = !strcmp(what, "product");
        size_t places[] = {0, elements / 2, elements - 1};
        for (int k = 0; k < 3; k++)
            a[places[k]] = 0;
        double rate = best(is_product ? product : strcmp(what, "memory") ? streaming : memory, seconds);
        for (int k = 0; k < 3; k++)
            if (!is_product && a[places[k]] != 7.0f) /* 1 + 3 x 2; a wrong sum has no rate */
                return 1;
        printf("%.6g\n", rate);
        fflush(stdout);
    }
    return 0;
}
