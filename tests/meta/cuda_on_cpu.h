// What kernel.cu uses of CUDA, on the CPU: its logic is tested where there is no GPU.
//
//     c++ -x c++ -include tests/meta/cuda_on_cpu.h -ffp-contract=off -o kernel tests/meta/kernel.cu
#pragma once
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#define __device__ static
#define __global__ static

struct Place {
    int x;
};
static Place blockIdx, blockDim, threadIdx;

#define LAUNCH(kernel, blocks, threads, ...)                                                      \
    for (blockDim.x = (threads), blockIdx.x = 0; blockIdx.x < (blocks); blockIdx.x++)             \
        for (threadIdx.x = 0; threadIdx.x < blockDim.x; threadIdx.x++) kernel(__VA_ARGS__)

static double __dadd_rn(double a, double b) { return a + b; }
static double __dsub_rn(double a, double b) { return a - b; }
static double __dmul_rn(double a, double b) { return a * b; }
static double __ddiv_rn(double a, double b) { return a / b; }
static float __fmul_rn(float a, float b) { return a * b; }

enum cudaError_t { cudaSuccess, cudaErrorNoDevice, cudaErrorInsufficientDriver, cudaErrorMemory };
enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost };

static const char *cudaGetErrorString(cudaError_t) { return "out of memory"; }
static cudaError_t cudaGetLastError() { return cudaSuccess; }

template <class T> static cudaError_t cudaMalloc(T **memory, size_t bytes)
{
    *memory = (T *)malloc(bytes);
    return *memory ? cudaSuccess : cudaErrorMemory;
}

static cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, cudaMemcpyKind)
{
    memcpy(to, from, bytes);
    return cudaSuccess;
}

static cudaError_t cudaFree(void *memory)
{
    free(memory);
    return cudaSuccess;
}
