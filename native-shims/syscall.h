/*
 * What a freestanding program of ours needs of an architecture: the entry point, system calls,
 * and the two memory functions that a C compiler may call on its own. No libc is linked.
 */
#ifndef TSRUNC_SYSCALL_H
#define TSRUNC_SYSCALL_H

#include <stddef.h>
#include <stdint.h>

#include <asm/unistd.h>

#if defined(__x86_64__)

/* BEGIN(stack) gets the stack as the kernel left it: argc, argv…, 0, envp…, 0, auxv… */
#define DEFINE_START(BEGIN)                                                                        \
  __asm__(".text\n.globl _start\n_start:\n"                                                        \
          "  xor %ebp, %ebp\n  mov %rsp, %rdi\n  and $-16, %rsp\n  call " #BEGIN "\n  hlt\n")

static inline long raw_syscall(long number, long a, long b, long c, long d, long e, long f)
{
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

#elif defined(__aarch64__)

#define DEFINE_START(BEGIN)                                                                        \
  __asm__(".text\n.globl _start\n_start:\n"                                                        \
          "  mov x29, #0\n  mov x30, #0\n  mov x0, sp\n  bl " #BEGIN "\n  brk #1\n")

static inline long raw_syscall(long number, long a, long b, long c, long d, long e, long f)
{
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc #0"
                   : "+r"(x0)
                   : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                   : "memory");
  return x0;
}

#else
#error "only x86-64 and arm64 are supported"
#endif

/* A system call with up to six arguments of any integer or pointer type; -errno on failure. */
#define SYSCALL_PICK(N, A, B, C, D, E, F, ...)                                                     \
  raw_syscall((long)(N), (long)(A), (long)(B), (long)(C), (long)(D), (long)(E), (long)(F))
#define syscall(...) SYSCALL_PICK(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)

/* The empty asm keeps the compiler from turning these loops into calls of themselves. */
__attribute__((weak)) void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
  for (size_t i = 0; i < size; i++) {
    ((uint8_t *)to)[i] = ((const uint8_t *)from)[i];
    __asm__ volatile("");
  }
  return to;
}

__attribute__((weak)) void *memset(void *to, int byte, size_t size)
{
  for (size_t i = 0; i < size; i++) {
    ((uint8_t *)to)[i] = (uint8_t)byte;
    __asm__ volatile("");
  }
  return to;
}

static inline size_t string_length(const char *string)
{
  size_t length = 0;
  while (string[length] != 0) {
    length++;
    __asm__ volatile("");
  }
  return length;
}

#endif
