/**
 * The test files that run on Windows by default: all of some folders, except those
 * that are named here with the reason.
 */

/** Folders of which every test runs, apart from `LEFT_OUT`. */
const FOLDERS = [
  "tests/backends",
  "tests/backends/ffi",
  "tests/reactor",
  "tests/reactor/diagnosis",
  "tests/adapters/node",
  "tests/adapters/wasi",
  "tests/adapters/wasmedge",
  "tests/windows",
];

/** Files of other folders, where most tests are of Unix. */
const FILES = [
  "tests/conformance_test.ts",
  "tests/examples/io_multiplexing_test.ts",
  "tests/examples/python_notation_test.ts",
];

/** Files that cannot pass, or cannot yet, and why. docs/windows.md has them, too. */
const LEFT_OUT: ReadonlyMap<string, readonly string[]> = new Map([
  ["Windows has no such descriptors or calls", [
    "tests/backends/ffi/calls_test.ts",
    "tests/backends/ffi/file_description_test.ts",
    "tests/backends/ffi/foreign_memory_test.ts",
    "tests/backends/ffi/transfers_test.ts",
    "tests/reactor/open_shared_test.ts",
    "tests/reactor/open_stdin_test.ts",
    "tests/reactor/open_test.ts",
    "tests/reactor/stream_test.ts",
    "tests/reactor/stream_web_test.ts",
  ]],
  ["a preopened directory is refused on Windows", [
    "tests/adapters/wasi/fuzz_test.ts",
    "tests/adapters/wasi/paths_test.ts",
  ]],
  ["closed numbers differ, or too slow under Wine", [
    "tests/reactor/diagnosis/describe_test.ts",
    "tests/reactor/write_test.ts",
  ]],
  ["needs packages of npm, which are not in the folder of Wine", [
    "tests/adapters/node/databases_test.ts",
    "tests/adapters/node/websocket_test.ts",
  ]],
]);

/** The files of the default suites, below the folder of the package. */
export function defaultTests(project: string): string[] {
  const leftOut = new Set([...LEFT_OUT.values()].flat());
  const files = FOLDERS.flatMap((folder) =>
    [...Deno.readDirSync(`${project}/${folder}`)]
      .map(({ name }) => `${folder}/${name}`)
  ).filter((file) => file.endsWith("_test.ts") && !leftOut.has(file));
  return [...FILES, ...files.sort()];
}
