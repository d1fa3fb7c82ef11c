/**
 * The suites that run on Windows by default: the test files of some folders, except
 * those that are named here with the reason.
 */

import { ffiPermissionFlag } from "../../backends/ffi/mod.ts";

/** Test files that one process runs. */
export interface Suite {
  readonly name: string;
  /** The permissions, as options of Deno. */
  readonly permissions: readonly string[];
  readonly files: readonly string[];
}

/** All permissions, except that only the libraries of the documentation may be opened. */
const DOCUMENTED_PERMISSION: readonly string[] = [
  ..."read write net env run sys import".split(" ").map((name) =>
    `--allow-${name}`
  ),
  Deno.build.os === "windows" ? ffiPermissionFlag() : flagUnderWine(),
  "--no-prompt",
];

/** The test folders and files of each suite. Those that take longest come first. */
const SUITES: Readonly<Record<string, readonly string[]>> = {
  reactor: ["reactor", "reactor/diagnosis"],
  conformance: ["conformance_test.ts"],
  servers: [
    "examples/backpressure_test.ts",
    "examples/beside_node_test.ts",
    "examples/chat_test.ts",
    "examples/conversations_test.ts",
    "examples/dns_server_test.ts",
    "examples/many_servers_client_test.ts",
    "examples/reactor_server_test.ts",
    "examples/services_test.ts",
    "examples/tcp_udp_echo_test.ts",
    "examples/web_chat_test.ts",
  ],
  examples: [
    "examples/inspector_test.ts",
    "examples/io_multiplexing_test.ts",
    "examples/many_cores_test.ts",
    "examples/python_notation_test.ts",
    "examples/reactor_troubles_test.ts",
    "examples/troubles_test.ts",
    "examples/wasi_echo_test.ts",
    "windows",
  ],
  adapters: [
    "adapters/node",
    "adapters/otel",
    "adapters/serial/systems_test.ts",
  ],
  wasi: ["adapters/wasi", "adapters/wasmedge"],
  backends: ["backends", "backends/ffi"],
};

/**
 * The suite that may open every library. Then memory is read by its address: the last
 * error, and the functions that send and receive control messages.
 */
const ALL_LIBRARIES = {
  name: "all libraries",
  places: [
    "backends/ffi",
    "reactor/datagram_control_test.ts",
    "reactor/datagram_property_test.ts",
    "reactor/datagram_segments_test.ts",
    "reactor/datagram_test.ts",
    "reactor/diagnosis",
  ],
} as const;

/** Files that cannot pass, or cannot yet, and why. docs/windows.md has them, too. */
const LEFT_OUT: ReadonlyMap<string, readonly string[]> = new Map([
  ["Reactor.open() and its pipes, files and terminals are NotSupported", [
    "reactor/open_shared_test.ts",
    "reactor/open_stdin_test.ts",
    "reactor/open_test.ts",
  ]],
  ["its calls are those of the C library", ["backends/ffi/calls_test.ts"]],
  ["a preopened directory is refused on Windows", [
    "adapters/wasi/fuzz_test.ts",
    "adapters/wasi/paths_test.ts",
  ]],
]);

/** The suites that run by default, with the files below the folder of the package. */
export function defaultSuites(project: string): Suite[] {
  const documented = Object.entries(SUITES).map(([name, places]) => ({
    name,
    permissions: DOCUMENTED_PERMISSION,
    files: testFiles(project, places),
  }));
  const { name, places } = ALL_LIBRARIES;
  const files = testFiles(project, places);
  return [...documented, { name, permissions: ["-A"], files }];
}

function testFiles(project: string, places: readonly string[]): string[] {
  const leftOut = new Set([...LEFT_OUT.values()].flat());
  return places.flatMap((place) => filesOf(`${project}/tests`, place))
    .filter((file) => !leftOut.has(file))
    .map((file) => `tests/${file}`);
}

/** A test file, or the test files of a folder. */
function filesOf(tests: string, place: string): string[] {
  if (place.endsWith(".ts")) return [place];
  return [...Deno.readDirSync(`${tests}/${place}`)]
    .map(({ name }) => `${place}/${name}`)
    .filter((file) => file.endsWith("_test.ts"))
    .sort();
}

/** `ffiPermissionFlag()` of Windows, for a Deno of another system that starts Wine. */
function flagUnderWine(): string {
  const paths = ["ws2_32", "kernel32", "ntdll"].map((name) =>
    `C:\\Windows\\System32\\${name}.dll`
  );
  return `--allow-ffi=${paths.join()}`;
}
