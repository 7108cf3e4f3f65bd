/*
 * Checks a program before its first step, once and whole: after this, no instruction reaches
 * outside of its slots and data, and every jump goes forward, so that every program ends.
 */
#include "executor.h"

#include <linux/sched.h>

static uint32_t header_word(const struct program *program, uint32_t offset)
{
  uint32_t word;
  memcpy(&word, program->base + offset, sizeof word);
  return word;
}

/* Whether `count` things of `size` bytes from `offset` on lie in the file. */
static int fits(const struct program *program, uint32_t offset, uint64_t count, uint64_t size)
{
  return offset >= HEADER_SIZE && offset % 8 == 0 && offset <= program->size &&
         count * size <= program->size - offset;
}

static int in_data(const struct program *program, uint64_t offset, uint64_t size)
{
  return offset <= program->data_size && size <= program->data_size - offset;
}

/* The place after the last instruction is one: the end. */
static int is_label(const struct program *program, uint32_t target, uint32_t index)
{
  return target > index && target <= program->instruction_count;
}

static int is_slot_or_none(const struct program *program, uint32_t slot)
{
  return slot == NONE || slot < program->slot_count;
}

static int is_operand(const struct program *program, const struct operand *operand)
{
  switch (operand->kind) {
  case OPERAND_NONE:
  case OPERAND_IMMEDIATE:
    return 1;
  case OPERAND_ADDRESS:
    return operand->value < program->data_size;
  case OPERAND_SLOT:
  case OPERAND_NEGATED:
    return operand->value < program->slot_count;
  case OPERAND_LOAD32:
    return in_data(program, operand->value, 4);
  case OPERAND_LOAD64:
    return in_data(program, operand->value, 8);
  default:
    return 0;
  }
}

/* How many operands an instruction cannot do without: a zero for a missing one is no answer. */
static int needed_operands(uint32_t op)
{
  switch (op) {
  case OPCODE_MKPATH:
    return 4;
  case OPCODE_TEST:
    return 3;
  case OPCODE_CLONE:
    return 2;
  case OPCODE_SET:
  case OPCODE_WAIT:
  case OPCODE_FAIL:
    return 1;
  default:
    return 0;
  }
}

static int has_good_operands(const struct program *program, const struct instruction *instruction)
{
  for (int i = 0; i < OPERAND_COUNT; i++)
    if (!is_operand(program, instruction->operands + i))
      return 0;
  for (int i = 0; i < needed_operands(instruction->op); i++)
    if (instruction->operands[i].kind == OPERAND_NONE)
      return 0;
  return 1;
}

static int has_good_rules(const struct program *program, const struct instruction *instruction,
                          uint32_t index)
{
  for (int i = 0; i < RULE_COUNT; i++) {
    const struct rule *rule = instruction->rules + i;
    if (rule->error == 0)
      continue;
    if (rule->error != ANY_ERRNO && (rule->error < 0 || rule->error > ERRNO_LIMIT))
      return 0;
    if (rule->target != RETRY && !is_label(program, rule->target, index))
      return 0;
  }
  return 1;
}

/* We read them as the kernel does; their size is what operand 1 says. */
static int holds_clone_arguments(const struct program *program,
                                 const struct instruction *instruction)
{
  const struct operand *arguments = instruction->operands;
  const struct operand *size = instruction->operands + 1;
  return arguments->kind == OPERAND_ADDRESS && size->kind == OPERAND_IMMEDIATE &&
         size->value >= CLONE_ARGS_SIZE_VER0 && in_data(program, arguments->value, size->value);
}

static int has_good_fields(const struct program *program, const struct instruction *instruction)
{
  switch (instruction->op) {
  case OPCODE_CALL:
  case OPCODE_POST:
  case OPCODE_FAIL:
    return 1;
  case OPCODE_TEST:
    return instruction->number <= CONDITION_GE && instruction->target != NONE;
  case OPCODE_SET:
    if (instruction->number == 0)
      return instruction->slot != NONE;
    return (instruction->number == 4 || instruction->number == 8) &&
           in_data(program, instruction->a, instruction->number);
  case OPCODE_CLONE:
    return instruction->target != NONE && instruction->number > 0 && instruction->number < LANES &&
           holds_clone_arguments(program, instruction);
  case OPCODE_MEET:
    return in_data(program, instruction->a, instruction->b) && instruction->d <= MEET_FDS_IN &&
           instruction->c <= program->slot_count &&
           instruction->d <= program->slot_count - instruction->c;
  case OPCODE_WAIT:
    return instruction->slot != NONE;
  case OPCODE_MKPATH:
    return instruction->operands[1].kind == OPERAND_ADDRESS;
  default:
    return 0;
  }
}

static int is_good(const struct program *program, uint32_t index)
{
  const struct instruction *instruction = program->instructions + index;
  if (instruction->target != NONE && !is_label(program, instruction->target, index))
    return 0;
  return is_slot_or_none(program, instruction->slot) && has_good_operands(program, instruction) &&
         has_good_rules(program, instruction, index) && has_good_fields(program, instruction);
}

static int read_header(struct program *program)
{
  uint32_t instructions = header_word(program, HEADER_INSTRUCTIONS_OFFSET);
  uint32_t relocations = header_word(program, HEADER_RELOCATIONS_OFFSET);
  uint32_t data = header_word(program, HEADER_DATA_OFFSET);
  program->instruction_count = header_word(program, HEADER_INSTRUCTION_COUNT);
  program->relocation_count = header_word(program, HEADER_RELOCATION_COUNT);
  program->data_size = header_word(program, HEADER_DATA_SIZE);
  program->slot_count = header_word(program, HEADER_SLOT_COUNT);
  if (header_word(program, HEADER_MAGIC) != MAGIC ||
      header_word(program, HEADER_VERSION) != VERSION ||
      !fits(program, instructions, program->instruction_count, INSTRUCTION_SIZE) ||
      !fits(program, relocations, program->relocation_count, RELOCATION_SIZE) ||
      !fits(program, data, program->data_size, 1) || program->slot_count == 0 ||
      program->slot_count > SLOT_LIMIT)
    return 0;
  program->instructions = (const struct instruction *)(program->base + instructions);
  program->relocations = (const struct relocation *)(program->base + relocations);
  program->data = program->copy + data;
  return 1;
}

/* Both ends of a relocation lie in the data: it cannot write to what was checked. */
static int has_good_relocations(const struct program *program)
{
  for (uint32_t i = 0; i < program->relocation_count; i++)
    if (!in_data(program, program->relocations[i].at, 8) ||
        program->relocations[i].to >= program->data_size)
      return 0;
  return 1;
}

/* The data comes last: no place in the file is both an instruction and data. */
static int is_disjoint(const struct program *program)
{
  const uint8_t *data = program->base + header_word(program, HEADER_DATA_OFFSET);
  return (const uint8_t *)(program->instructions + program->instruction_count) <= data &&
         (const uint8_t *)(program->relocations + program->relocation_count) <= data;
}

int verify_program(struct program *program)
{
  if (!read_header(program) || !is_disjoint(program) || !has_good_relocations(program))
    return 0;
  for (uint32_t index = 0; index < program->instruction_count; index++)
    if (!is_good(program, index))
      return 0;
  return 1;
}
