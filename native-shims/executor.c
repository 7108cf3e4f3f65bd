/* The executor: maps a program, checks it, relocates it, steps through it. */
#include "executor.h"

#include <asm/stat.h>
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <linux/sched.h>
#include <linux/prctl.h>

_Static_assert(sizeof(struct instruction) == INSTRUCTION_SIZE, "instruction layout");
_Static_assert(sizeof(struct relocation) == RELOCATION_SIZE, "relocation layout");

static __attribute__((noreturn)) void leave(int status)
{
  for (;;)
    syscall(__NR_exit_group, status);
}

static __attribute__((noreturn)) void fail(struct program *program, int error, uint32_t code)
{
  program->lane->error = error;
  program->lane->code = code;
  program->lane->state = LANE_STATE_FAILED;
  leave(1);
}

uint64_t load_operand(const struct program *program, const struct operand *operand)
{
  uint32_t word;
  uint64_t words;
  switch (operand->kind) {
  case OPERAND_IMMEDIATE:
    return operand->value;
  case OPERAND_ADDRESS:
    return (uint64_t)(uintptr_t)(program->data + operand->value);
  case OPERAND_SLOT:
    return program->slots[operand->value];
  case OPERAND_NEGATED:
    return -program->slots[operand->value];
  case OPERAND_LOAD32:
    memcpy(&word, program->data + operand->value, sizeof word);
    return word;
  case OPERAND_LOAD64:
    memcpy(&words, program->data + operand->value, sizeof words);
    return words;
  default:
    return 0;
  }
}

static long do_call(const struct program *program, const struct instruction *instruction)
{
  const struct operand *operands = instruction->operands;
  return syscall(instruction->number, load_operand(program, operands),
                 load_operand(program, operands + 1), load_operand(program, operands + 2),
                 load_operand(program, operands + 3), load_operand(program, operands + 4),
                 load_operand(program, operands + 5));
}

static int holds(const struct program *program, const struct instruction *instruction)
{
  uint64_t mask = load_operand(program, instruction->operands + 1);
  uint64_t left = load_operand(program, instruction->operands) & mask;
  uint64_t right = load_operand(program, instruction->operands + 2);
  switch (instruction->number) {
  case CONDITION_EQ:
    return left == right;
  case CONDITION_NE:
    return left != right;
  case CONDITION_LT:
    return left < right;
  default:
    return left >= right;
  }
}

static void assign(struct program *program, const struct instruction *instruction)
{
  uint64_t value = load_operand(program, instruction->operands);
  if (instruction->number == 0)
    program->slots[instruction->slot] = value;
  else
    memcpy(program->data + instruction->a, &value, instruction->number);
}

/*
 * Only a fork: the child returns here on a copy of our stack and memory. Sharing either would have
 * two processes step through one set of slots, in one lane.
 */
static long do_clone(struct program *program, const struct instruction *instruction)
{
  struct clone_args how;
  memcpy(&how, program->data + instruction->operands[0].value, CLONE_ARGS_SIZE_VER0);
  if ((how.flags & CLONE_VM) != 0 || how.stack != 0)
    return -EINVAL;
  long pid = syscall(__NR_clone3, load_operand(program, instruction->operands),
                     load_operand(program, instruction->operands + 1));
  if (pid == 0)
    program->lane = (struct lane *)(program->status + (uint64_t)instruction->number * LANE_SIZE);
  return pid;
}

static long do_meet(struct program *program, const struct instruction *instruction)
{
  long sent = post(program, instruction);
  if (is_error(sent) || instruction->op == OPCODE_POST)
    return is_error(sent) ? sent : 0;
  return take_answer(program, instruction);
}

static long do_wait(struct program *program, const struct instruction *instruction)
{
  long result = wait_for_go((int)load_operand(program, instruction->operands));
  if (result > SIGNAL_BASE)
    return result;
  uint32_t signal = (uint32_t)(SIGNAL_BASE - result);
  program->lane->code = signal;
  program->lane->state = LANE_STATE_SIGNALLED;
  leave(128 + (int)signal);
}

/* The label that the errno's rule names, or NONE, RETRY. */
static uint32_t find_rule(const struct instruction *instruction, int error)
{
  for (int i = 0; i < RULE_COUNT && instruction->rules[i].error != 0; i++) {
    int32_t wanted = instruction->rules[i].error;
    if (wanted == error || wanted == ANY_ERRNO)
      return instruction->rules[i].target;
  }
  return NONE;
}

static long do_effect(struct program *program, const struct instruction *instruction)
{
  switch (instruction->op) {
  case OPCODE_CALL:
    return do_call(program, instruction);
  case OPCODE_CLONE:
    return do_clone(program, instruction);
  case OPCODE_WAIT:
    return do_wait(program, instruction);
  case OPCODE_MKPATH:
    return make_path(program, instruction);
  default:
    return do_meet(program, instruction);
  }
}

/* An instruction that can fail: tries it, follows its rules; the index to go on at. */
static uint32_t run_effect(struct program *program, const struct instruction *instruction,
                           uint32_t index)
{
  for (int tries = 0;; tries++) {
    long result = do_effect(program, instruction);
    if (is_error(result)) {
      uint32_t target = find_rule(instruction, (int)-result);
      if (target == RETRY && tries < RETRY_LIMIT)
        continue;
      if (target == RETRY || target == NONE)
        fail(program, (int)-result, 0);
      return target;
    }
    int is_meet = instruction->op == OPCODE_MEET || instruction->op == OPCODE_POST;
    if (instruction->slot != NONE && !is_meet)
      program->slots[instruction->slot] = (uint64_t)result;
    /* Where a child or a branch goes on, and where any other success does, is the target. */
    int jumps = instruction->op == OPCODE_CLONE ? result == 0 : is_meet ? result == 1 : 1;
    return jumps && instruction->target != NONE ? instruction->target : index + 1;
  }
}

static uint32_t step(struct program *program, uint32_t index)
{
  const struct instruction *instruction = program->instructions + index;
  switch (instruction->op) {
  case OPCODE_TEST:
    return holds(program, instruction) ? instruction->target : index + 1;
  case OPCODE_SET:
    assign(program, instruction);
    return index + 1;
  case OPCODE_FAIL:
    fail(program, (int)load_operand(program, instruction->operands), instruction->number);
  default:
    return run_effect(program, instruction, index);
  }
}

static void relocate(struct program *program)
{
  for (uint32_t i = 0; i < program->relocation_count; i++) {
    uint64_t address = (uint64_t)(uintptr_t)(program->data + program->relocations[i].to);
    memcpy(program->data + program->relocations[i].at, &address, sizeof address);
  }
}

/*
 * Twice: what was checked stays as it was, whatever address a system call is told to write to. Of
 * the other one only the data is used. Both are private: the file is not written to.
 */
static int map_program(struct program *program)
{
  struct stat facts;
  if (is_error(syscall(__NR_fstat, FD_PROGRAM, &facts)) || facts.st_size < HEADER_SIZE)
    return 0;
  program->size = (uint64_t)facts.st_size;
  long base = syscall(__NR_mmap, 0, program->size, PROT_READ, MAP_PRIVATE, FD_PROGRAM, 0);
  long copy = syscall(__NR_mmap, 0, program->size, PROT_READ | PROT_WRITE, MAP_PRIVATE, FD_PROGRAM,
                      0);
  if (is_error(base) || is_error(copy))
    return 0;
  program->base = (const uint8_t *)base;
  program->copy = (uint8_t *)copy;
  syscall(__NR_close, FD_PROGRAM);
  return verify_program(program);
}

static struct program program;

__attribute__((noreturn, used)) static void begin(void)
{
  /* Nobody in a namespace that we join may trace us or read our memory (CVE-2016-9962). */
  syscall(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
  long status = syscall(__NR_mmap, 0, STATUS_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, FD_STATUS, 0);
  if (is_error(status))
    leave(2);
  syscall(__NR_close, FD_STATUS);
  program.status = (uint8_t *)status;
  program.lane = (struct lane *)program.status;
  if (!map_program(&program)) {
    program.lane->state = LANE_STATE_REJECTED;
    leave(2);
  }
  relocate(&program);
  program.slots[CONTROL_SLOT] = FD_CONTROL;
  syscall(__NR_fcntl, FD_CONTROL, F_SETFD, FD_CLOEXEC);
  for (uint32_t index = 0; index < program.instruction_count;) {
    program.lane->next = index + 1;
    index = step(&program, index);
  }
  leave(0);
}

DEFINE_START(begin);
