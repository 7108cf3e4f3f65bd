/*
 * The executor steps through a program that the runtime compiled. It knows system calls and jumps;
 * it does not know containers, and it holds no text: what failed stands in the status page as
 * numbers, and the runtime, which still has the plan, finds the words.
 */
#ifndef TSRUNC_EXECUTOR_H
#define TSRUNC_EXECUTOR_H

#include "instruction-set.generated.h"
#include "syscall.h"

#include <asm/errno.h>

struct operand {
  uint32_t kind;
  uint32_t zero;
  uint64_t value;
};

struct rule {
  int32_t error;
  uint32_t target;
};

struct instruction {
  uint32_t op;
  uint32_t slot;
  uint32_t number;
  uint32_t target;
  uint32_t a;
  uint32_t b;
  uint32_t c;
  uint32_t d;
  struct operand operands[OPERAND_COUNT];
  struct rule rules[RULE_COUNT];
};

struct relocation {
  uint32_t at;
  uint32_t to;
};

/* A process's row in the status page, which the runtime shares. */
struct lane {
  volatile uint32_t next;
  volatile uint32_t state;
  volatile int32_t error;
  volatile uint32_t code;
};

struct program {
  const uint8_t *base;
  /* Another mapping of the same file, to be written to. */
  uint8_t *copy;
  uint64_t size;
  const struct instruction *instructions;
  uint32_t instruction_count;
  const struct relocation *relocations;
  uint32_t relocation_count;
  uint8_t *data;
  uint32_t data_size;
  uint32_t slot_count;
  uint64_t slots[SLOT_LIMIT];
  uint8_t *status;
  struct lane *lane;
};

/* Whether every count, offset, slot, label and window of the program is in its bounds. */
int verify_program(struct program *program);

uint64_t load_operand(const struct program *program, const struct operand *operand);

/* Results below are those of a system call: a negative number is an errno. */

/* Sends values and fds to the runtime. */
long post(struct program *program, const struct instruction *instruction);
/* Takes the runtime's answer; 1 when it is to go on at the instruction's label. */
long take_answer(struct program *program, const struct instruction *instruction);
/* Opens a path below a root, making what is missing. */
long make_path(const struct program *program, const struct instruction *instruction);
/* Waits for a peer that says GO: its connection; or SIGNAL_BASE - n where signal n ends us. */
long wait_for_go(int listening);
#define SIGNAL_BASE (-100000L)

/* The kernel's MAX_ERRNO: what is below its negative is an address. */
#define ERRNO_LIMIT 4095

static inline int is_error(long result)
{
  return result < 0 && result >= -ERRNO_LIMIT;
}

#endif
