/**
 * Runs a program of Windows in a console of its own, so that Ctrl-C can be pressed
 * there: signals between processes do not exist.
 *
 *     deno run -A console.ts PORT PROGRAM ARGUMENT...
 *
 * Its standard streams are the program's. It connects to the port on 127.0.0.1. Each
 * received byte presses Ctrl-C, and the end of the connection ends the program. The exit
 * status is that of the program.
 *
 * Source: "Creating a Pseudoconsole session" and "GenerateConsoleCtrlEvent" of the
 * Windows Console documentation.
 *
 * @module
 */

/** `WaitForSingleObject`: for ever. */
const INFINITE = 0xffff_ffff;

// <winbase.h>, <consoleapi.h>
const STARTF_USESTDHANDLES = 0x100;
const EXTENDED_STARTUPINFO_PRESENT = 0x8_0000;
const PROC_THREAD_ATTRIBUTE_PSEUDOCONSOLE = 0x2_0016n;
const HANDLE_FLAG_INHERIT = 1;
const STD_INPUT_HANDLE = -10;
const CTRL_C_EVENT = 0;

/** Columns and rows: a COORD, which is passed by value. */
const SIZE = 80 | 25 << 16;

/** Room for the input and output of a console that shows nothing. */
const PIPE_BYTES = 64 * 1024;

// Offsets in STARTUPINFOEXW and PROCESS_INFORMATION.
const PI_BYTES = 24, PI_PROCESS_ID = 16;
const SI_BYTES = 112, SI_FLAGS = 60, SI_STD_INPUT = 80, SI_ATTRIBUTES = 104;

const kernel32 = Deno.dlopen("kernel32.dll", {
  AttachConsole: { parameters: ["u32"], result: "i32" },
  CreatePipe: {
    parameters: ["buffer", "buffer", "usize", "u32"],
    result: "i32",
  },
  CreateProcessW: {
    parameters: [
      ...["usize", "buffer", "usize", "usize", "i32", "u32"] as const,
      ...["usize", "usize", "buffer", "buffer"] as const,
    ],
    result: "i32",
  },
  CreatePseudoConsole: {
    parameters: ["u32", "usize", "usize", "u32", "buffer"],
    result: "i32",
  },
  DeleteProcThreadAttributeList: { parameters: ["buffer"], result: "void" },
  FreeConsole: { parameters: [], result: "i32" },
  GenerateConsoleCtrlEvent: { parameters: ["u32", "u32"], result: "i32" },
  GetExitCodeProcess: { parameters: ["usize", "buffer"], result: "i32" },
  GetLastError: { parameters: [], result: "u32" },
  GetStdHandle: { parameters: ["i32"], result: "usize" },
  InitializeProcThreadAttributeList: {
    parameters: ["buffer", "u32", "u32", "buffer"],
    result: "i32",
  },
  SetConsoleCtrlHandler: { parameters: ["usize", "i32"], result: "i32" },
  SetHandleInformation: { parameters: ["usize", "u32", "u32"], result: "i32" },
  TerminateProcess: { parameters: ["usize", "u32"], result: "i32" },
  UpdateProcThreadAttribute: {
    parameters: [
      ...["buffer", "u32", "usize", "usize", "usize"] as const,
      ...["usize", "usize"] as const,
    ],
    result: "i32",
  },
  WaitForSingleObject: {
    parameters: ["usize", "u32"],
    result: "u32",
    nonblocking: true,
  },
}).symbols;

if (import.meta.main) {
  const [port, ...command] = Deno.args;
  const events = await Deno.connect({ port: Number(port) });
  const { process, pid } = start(createConsole(), command);
  const end = (): number => kernel32.TerminateProcess(process, 1);
  try {
    pass(events, pid).finally(end);
    await kernel32.WaitForSingleObject(process, INFINITE);
  } finally {
    end();
  }
  const status = new Int32Array(1);
  check("GetExitCodeProcess", kernel32.GetExitCodeProcess(process, status));
  Deno.exit(status[0]);
}

/** Creates a console, with pipes in the places of keyboard and screen. */
function createConsole(): bigint {
  const [keyboard, _keys] = createPipe();
  const [_picture, screen] = createPipe();
  const handle = new BigUint64Array(1);
  const result = kernel32.CreatePseudoConsole(
    ...[SIZE, keyboard, screen, 0, handle] as const,
  );
  if (result !== 0) throw new Error(`CreatePseudoConsole: ${result}`);
  return handle[0]!;
}

function createPipe(): [read: bigint, write: bigint] {
  const read = new BigUint64Array(1), write = new BigUint64Array(1);
  check("CreatePipe", kernel32.CreatePipe(read, write, 0n, PIPE_BYTES));
  return [read[0]!, write[0]!];
}

/** Starts a program in the console. */
function start(
  console: bigint,
  command: readonly string[],
): { readonly process: bigint; readonly pid: number } {
  // This process may ignore Ctrl-C, and the program would inherit that.
  kernel32.SetConsoleCtrlHandler(0n, 0);
  const attributes = attributesWith(console);
  const startup = new DataView(new ArrayBuffer(SI_BYTES));
  startup.setUint32(0, SI_BYTES, true);
  startup.setUint32(SI_FLAGS, STARTF_USESTDHANDLES, true);
  for (let stream = 0; stream < 3; stream++) {
    const handle = kernel32.GetStdHandle(STD_INPUT_HANDLE - stream);
    kernel32.SetHandleInformation(
      ...[handle, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT] as const,
    );
    startup.setBigUint64(SI_STD_INPUT + 8 * stream, handle, true);
  }
  const address = Deno.UnsafePointer.value(Deno.UnsafePointer.of(attributes));
  startup.setBigUint64(SI_ATTRIBUTES, address, true);
  const information = new DataView(new ArrayBuffer(PI_BYTES));
  const created = kernel32.CreateProcessW(
    ...[0n, wide(command.map(quoted).join(" ")), 0n, 0n, 1] as const,
    ...[EXTENDED_STARTUPINFO_PRESENT, 0n, 0n] as const,
    ...[bytesOf(startup), bytesOf(information)] as const,
  );
  check("CreateProcessW", created);
  kernel32.DeleteProcThreadAttributeList(attributes);
  return {
    process: information.getBigUint64(0, true),
    pid: information.getUint32(PI_PROCESS_ID, true),
  };
}

/** A list of attributes that puts a process into a console. */
function attributesWith(console: bigint): Uint8Array<ArrayBuffer> {
  const size = new BigUint64Array(1);
  kernel32.InitializeProcThreadAttributeList(null, 1, 0, size);
  // Its address is passed on, so it must not move.
  const list = new Uint8Array(new ArrayBuffer(Number(size[0])));
  check(
    "InitializeProcThreadAttributeList",
    kernel32.InitializeProcThreadAttributeList(list, 1, 0, size),
  );
  const updated = kernel32.UpdateProcThreadAttribute(
    ...[list, 0, PROC_THREAD_ATTRIBUTE_PSEUDOCONSOLE, console] as const,
    ...[8n, 0n, 0n] as const,
  );
  check("UpdateProcThreadAttribute", updated);
  return list;
}

/** Presses Ctrl-C for each byte, until the end of the connection. */
async function pass(events: Deno.Conn, pid: number): Promise<void> {
  let isInside = false;
  for await (const bytes of events.readable) {
    // A process that is starting is not in its console yet.
    if (!isInside) enterConsoleOf(pid);
    isInside = true;
    for (const _ of bytes) {
      const pressed = kernel32.GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0);
      check("GenerateConsoleCtrlEvent", pressed);
    }
  }
}

/** Enters the console of a program: its processes get all events. Here they are ignored. */
function enterConsoleOf(pid: number): void {
  kernel32.FreeConsole();
  check("AttachConsole", kernel32.AttachConsole(pid));
  Deno.addSignalListener("SIGINT", () => {});
}

function bytesOf({ buffer }: DataView<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return new Uint8Array(buffer);
}

/** A string in UTF-16, with its end. */
function wide(text: string): Uint16Array<ArrayBuffer> {
  return Uint16Array.from(`${text}\0`, (_, index) => text.charCodeAt(index));
}

/** An argument as the C library of Windows divides command lines. */
function quoted(argument: string): string {
  const escaped = argument
    .replace(/(\\*)"/g, '$1$1\\"')
    .replace(/\\+$/, "$&$&");
  return /^[^\s"]+$/.test(argument) ? argument : `"${escaped}"`;
}

function check(name: string, result: number): void {
  if (result !== 0) return;
  throw new Error(`${name} failed: ${kernel32.GetLastError()}`);
}
