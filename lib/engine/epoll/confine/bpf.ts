/**
 * A list of system calls as the program that the kernel runs before each of them (seccomp(2), BPF). Pure.
 *
 * What is not in the list fails with EPERM, and so does every call of another architecture's interface.
 */

/** The value of an argument must be one of these. */
export interface ArgumentTest {
  /** 0 to 5. */
  readonly argument: number;
  /** The half of its 64 bits; the system itself looks at no more than the low one where it takes an `int`. */
  readonly half?: "low" | "high";
  /** Only these bits count; all of them by default. */
  readonly mask?: number;
  readonly oneOf: readonly number[];
}

export interface CallRule {
  readonly number: number;
  /** All of them must hold. */
  readonly tests: readonly ArgumentTest[];
  /** It always fails, with this number (errno(3)). */
  readonly failsWith?: number;
}

/** The system's own name for an architecture (linux/audit.h). */
export const AUDIT_ARCH: Readonly<Record<typeof Deno.build.arch, number>> = {
  x86_64: 0xc000003e,
  aarch64: 0xc00000b7,
};

/** Of struct seccomp_data. */
const OFFSET_NUMBER = 0;
const OFFSET_ARCH = 4;
const OFFSET_ARGUMENTS = 16;

const LOAD = 0x20;
const AND = 0x54;
const JUMP_IF_EQUAL = 0x15;
const RETURN = 0x06;
const ALLOW = 0x7fff0000;
const FAIL_WITH = 0x00050000;
const EPERM = 1;

/** struct sock_filter. */
interface Instruction {
  readonly code: number;
  /** Instructions to skip when the comparison holds, and when it does not. */
  readonly jumps?: readonly [whenEqual: number, otherwise: number];
  readonly operand: number;
}

const INSTRUCTION_BYTES = 8;
const allow: Instruction = { code: RETURN, operand: ALLOW };
const refuse: Instruction = { code: RETURN, operand: FAIL_WITH | EPERM };

/** The program for a list. Its memory does not move, as long as it is more than 64 bytes. */
export function compileFilter(arch: number, rules: readonly CallRule[]): Uint8Array<ArrayBuffer> {
  return encode([
    { code: LOAD, operand: OFFSET_ARCH },
    { code: JUMP_IF_EQUAL, jumps: [1, 0], operand: arch },
    refuse,
    { code: LOAD, operand: OFFSET_NUMBER },
    ...rules.flatMap(compileRule),
    refuse,
  ]);
}

/** Returns for its own call; for any other one goes on behind it. */
function compileRule({ number, tests, failsWith }: CallRule): Instruction[] {
  const last = failsWith === undefined ? allow : { code: RETURN, operand: FAIL_WITH | failsWith };
  const body = [...tests.flatMap(compileTest), last];
  return [{ code: JUMP_IF_EQUAL, jumps: [0, body.length], operand: number }, ...body];
}

/** Goes on behind it when the argument fits, and refuses otherwise. */
function compileTest({ argument, half = "low", mask, oneOf }: ArgumentTest): Instruction[] {
  const offset = OFFSET_ARGUMENTS + 8 * argument + (half === "high" ? 4 : 0);
  return [
    { code: LOAD, operand: offset },
    ...(mask === undefined ? [] : [{ code: AND, operand: mask }]),
    // Each jumps over those after it and over the refusal.
    ...oneOf.map((operand, i): Instruction => ({
      code: JUMP_IF_EQUAL,
      jumps: [oneOf.length - i, 0],
      operand,
    })),
    refuse,
  ];
}

function encode(program: readonly Instruction[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(new ArrayBuffer(program.length * INSTRUCTION_BYTES));
  const view = new DataView(bytes.buffer);
  program.forEach(({ code, jumps: [whenEqual, otherwise] = [0, 0], operand }, i) => {
    const at = i * INSTRUCTION_BYTES;
    view.setUint16(at, code, true);
    view.setUint8(at + 2, whenEqual);
    view.setUint8(at + 3, otherwise);
    view.setUint32(at + 4, operand, true);
  });
  return bytes;
}
