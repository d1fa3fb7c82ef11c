/**
 * The compilers of the examples' guests. Each function returns true, or the reason
 * why it could not compile the guest.
 */

/** The folder of the guests' sources. */
export const EXAMPLES =
  new URL("../../../examples/wasi_echo/", import.meta.url).pathname;

/** The oldest Go that knows the system wasip1, a minor version of Go 1. */
const OLDEST_GO = 21;

/**
 * Compiles the server in Rust, with the compiler that `RUSTC` names.
 *
 * @param output The path of the program
 * @returns true, or the reason why it failed
 */
export async function buildRust(output: string): Promise<true | string> {
  const rustc = Deno.env.get("RUSTC") ?? "rustc";
  const source = `${EXAMPLES}echo.rs`;
  let reason = "";
  for (const target of ["wasm32-wasip1", "wasm32-wasi"]) {
    const result = await run(rustc, [
      ...["--target", target, "-O", "-o", output],
      source,
    ]);
    if (result === null) return `no ${rustc}`;
    if (result.success) return true;
    reason = result.stderr;
  }
  return reason;
}

/**
 * Compiles the server in Go. It uses the compiler that `GO` names, else the one in
 * PATH, else the newest that Debian has installed.
 *
 * @param output The path of the program
 * @returns true, or the reason why it failed
 */
export async function buildGo(output: string): Promise<true | string> {
  const named = Deno.env.get("GO");
  const candidates = named === undefined ? ["go", ...debianGos()] : [named];
  for (const go of candidates) {
    if (await minorVersion(go) >= OLDEST_GO) return await buildWith(go, output);
  }
  return `no ${named ?? "go"} of 1.${OLDEST_GO} or newer`;
}

/** Compiles the standard library too, for ten seconds, unless `GOCACHE` has it. */
async function buildWith(go: string, output: string): Promise<true | string> {
  const cache = await Deno.makeTempDir();
  try {
    const result = await run(
      go,
      ["build", "-o", output, `${EXAMPLES}echo.go`],
      {
        GOCACHE: Deno.env.get("GOCACHE") ?? cache,
        GOPATH: cache,
        ...{ GOOS: "wasip1", GOARCH: "wasm", GOTOOLCHAIN: "local" },
        ...{ GO111MODULE: "off", GOENV: "off", GOFLAGS: "" },
      },
    );
    return result?.success || (result?.stderr ?? `no ${go}`);
  } finally {
    await Deno.remove(cache, { recursive: true });
  }
}

/** The paths of Debian's Go compilers, which are not in PATH; the newest first. */
function debianGos(): string[] {
  try {
    return [...Deno.readDirSync("/usr/lib")]
      .flatMap(({ name }) => /^go-1\.(\d+)$/.exec(name)?.[1] ?? [])
      .sort((one, other) => Number(other) - Number(one))
      .map((minor) => `/usr/lib/go-1.${minor}/bin/go`);
  } catch {
    return [];
  }
}

/** The minor version of a Go 1 compiler; -1 if it is none. */
async function minorVersion(go: string): Promise<number> {
  const result = await run(go, ["version"], { GOTOOLCHAIN: "local" });
  return Number(/ go1\.(\d+)/.exec(result?.stdout ?? "")?.[1] ?? -1);
}

/** Runs a compiler. @returns null if there is no such program */
async function run(
  program: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<{ success: boolean; stdout: string; stderr: string } | null> {
  const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  try {
    const { success, stdout, stderr } = await new Deno.Command(program, {
      args: [...args],
      env,
    }).output();
    return { success, stdout: text(stdout), stderr: text(stderr) };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}
