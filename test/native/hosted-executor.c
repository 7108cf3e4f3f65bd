/* The executor as a program of the host's libc, for what needs one: the compiler's sanitizers. */
#include "syscall.h"

#undef DEFINE_START
#define DEFINE_START(BEGIN)
#include "executor.c"

/* Of what the sanitizers find, the exit status tells: no program of the tests leaves with it. */
const char *__asan_default_options(void)
{
  return "exitcode=99:detect_leaks=0";
}

const char *__ubsan_default_options(void)
{
  return "exitcode=99:halt_on_error=1";
}

int main(void)
{
  begin();
}
