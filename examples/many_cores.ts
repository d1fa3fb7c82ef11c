// A server of node:http on all cores: a thread for each, and one port. Threads are
// replaced under load, and no connection fails.
//
//     deno run --allow-ffi --allow-read=. examples/many_cores.ts
//
// The second permission is for the threads: Deno reads their program. Then:
//
//     curl http://127.0.0.1:8001      which thread answers
//     kill -HUP PID                   replaces all threads, one after the other
//
// Ctrl-C ends all. `--workers` sets the number of threads.

import {
  type Acceptor,
  formatAddress,
  type InternetAddress,
  Reactor,
} from "../mod.ts";
import { main, onInterrupt, parseCommandLine, refuse } from "./command_line.ts";

/** The program of a thread. */
const PROGRAM = new URL("./many_cores_worker.ts", import.meta.url);

/** Whether the system distributes connections among listening sockets of one port. */
const distributes = Deno.build.os === "linux";

/** How many threads were started. */
let started = 0;

/** All threads that have not ended, also those that were replaced. */
const running = new Set<ServingWorker>();

/** A thread that serves connections of one listening socket. */
class ServingWorker {
  /** Resolves when it accepts. */
  readonly ready: Promise<void>;
  /** Resolves when its last connection has ended. */
  readonly ended: Promise<void>;
  readonly #worker: Worker;

  constructor(fd: number) {
    const ready = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<void>();
    this.ready = ready.promise;
    this.ended = ended.promise;
    const name = `worker ${++started}`;
    this.#worker = new Worker(PROGRAM, { type: "module", name });
    this.#worker.onmessage = ({ data }) => {
      if (data === "ready") ready.resolve();
      else if (data === "ended") this.#end(ended.resolve);
      console.log(`${name}: ${data}`);
    };
    // Deno has printed the error.
    this.#worker.onerror = () => Deno.exit(1);
    this.#worker.postMessage(fd);
    running.add(this);
  }

  /** Lets it accept no more, and finish its connections. */
  retire(): void {
    this.#worker.postMessage("retire");
  }

  /** Lets it end soon. */
  end(): void {
    this.#worker.postMessage("end");
  }

  #end(resolve: () => void): void {
    running.delete(this);
    resolve();
  }
}

/**
 * Opens a listening socket for each thread, if the system distributes connections among
 * them, or else one for all. They stay open until the end of the program, since a
 * listening socket resets the connections in its backlog when its last descriptor is
 * closed.
 */
function listen(
  reactor: Reactor,
  address: InternetAddress,
  threads: number,
): Acceptor<InternetAddress>[] {
  const count = distributes ? threads : 1;
  const listeners: Acceptor<InternetAddress>[] = [];
  for (let { port } = address; listeners.length < count;) {
    const options = { ...address, port, reusePort: distributes };
    const listener = reactor.listen(options, () => {});
    // The threads accept.
    listener.pause();
    listeners.push(listener);
    port = listener.address.port;
  }
  return listeners;
}

/** Starts a thread on the same socket, and then retires the one before it. */
async function replace(
  workers: ServingWorker[],
  index: number,
  fd: number,
): Promise<void> {
  const before = workers[index]!;
  const next = workers[index] = new ServingWorker(fd);
  await next.ready;
  before.retire();
  await before.ended;
}

function countWorkers(value: string): number {
  if (/^[1-9]\d?$/.test(value)) return Number(value);
  refuse(`Cannot start "${value}" workers: it must be 1 to 99`);
}

await main(async () => {
  const { address, values } = parseCommandLine({
    workers: { type: "string", default: `${navigator.hardwareConcurrency}` },
  });
  const count = countWorkers(String(values.workers));
  using reactor = new Reactor();
  const listeners = listen(reactor, address, count);
  const fdOf = (index: number): number =>
    listeners[index % listeners.length]!.fd;
  const workers = Array.from(
    { length: count },
    (_, index) => new ServingWorker(fdOf(index)),
  );
  await Promise.all(workers.map(({ ready }) => ready));

  let restarts = Promise.resolve();
  Deno.addSignalListener("SIGHUP", () => {
    for (const index of workers.keys()) {
      restarts = restarts.then(() => replace(workers, index, fdOf(index)));
    }
  });
  const interrupted = Promise.withResolvers<void>();
  onInterrupt(interrupted.resolve);
  console.log(`Process ${Deno.pid}`);
  console.log(`Server start at: ${formatAddress(listeners[0]!.address)}`);
  await interrupted.promise;

  for (const worker of running) worker.end();
  await Promise.all([...running].map(({ ended }) => ended));
  console.log("Goodbye");
  Deno.exit(0);
});
