/**
 * A backend of its own passes the conformance suite: a class on `BaseSelector` and
 * its traits are enough. CONTRIBUTING.md, "Adding a backend", counts the files.
 */

import { BaseSelector } from "../../backends/base_selector.ts";
import { PollFds } from "../../backends/ffi/structs/pollfd.ts";
import {
  POLLIN,
  POLLNVAL,
  pollOnce,
  POLLOUT,
  pollParked,
} from "../../backends/poll.ts";
import { isHangUp } from "../../backends/poll_events.ts";
import {
  EVENT_READ,
  EVENT_WRITE,
  type FileObject,
} from "../../backends/selector.ts";
import { backend } from "../backends.ts";
import { testConformance } from "../conformance/run.ts";
import { anyFile } from "../util.ts";

/** A selector on poll(2) that builds its array in every wait. */
class ToySelector<T, F extends FileObject = FileObject>
  extends BaseSelector<T, F> {
  override readonly seesChangesWhileParked = false;

  constructor() {
    super(0);
  }

  // Each wait reads the registrations: no change needs a system call.
  protected override watch(): void {}
  protected override rewatch(): void {}
  protected override unwatch(): void {}
  protected override release(): void {}

  protected override fill(timeout: number): void {
    const wait = this.#prepare();
    this.#decode(wait, pollOnce(wait.fds, wait.generations.length, timeout));
  }

  protected override async fillParked(
    timeout: number,
    referenced: boolean,
  ): Promise<void> {
    const wait = this.#prepare();
    const { fds, generations } = wait;
    this.#decode(
      wait,
      await pollParked(fds, generations.length, timeout, referenced),
    );
  }

  #prepare(): { fds: PollFds; generations: number[] } {
    const fds = new PollFds(this.registrations.size + 1);
    const generations: number[] = [];
    for (const { fd, events } of this.registrations.keys()) {
      const bits = (events & EVENT_READ ? POLLIN : 0) |
        (events & EVENT_WRITE ? POLLOUT : 0);
      fds.set(generations.length, fd, bits);
      generations.push(this.registrations.generation(fd));
    }
    return { fds, generations };
  }

  #decode(
    { fds, generations }: { fds: PollFds; generations: number[] },
    count: number,
  ): void {
    this.ready.reserve(Math.max(count, 0));
    for (const [slot, generation] of generations.entries()) {
      const fd = fds.fd(slot);
      const bits = count > 0 ? fds.returned(slot) : 0;
      if (bits === 0 || this.registrations.generation(fd) !== generation) {
        continue;
      }
      if ((bits & POLLNVAL) !== 0 || this.isGone(fd)) {
        this.lose(fd);
        continue;
      }
      const events = (bits & POLLIN ? EVENT_READ : 0) |
        (bits & POLLOUT ? EVENT_WRITE : 0) |
        (isHangUp(bits) ? this.hangUpEvents(fd) : 0);
      this.ready.push(fd, generation, events);
    }
  }
}

testConformance(backend("ToySelector", {
  maxFd: Infinity,
  refusesClosed: false,
  reportsClosed: true,
  regularFile: "always ready",
  briefWaits: anyFile,
  limitsWaits: false,
  ownFd: false,
  keepsErrors: true,
  followsClose: true,
  nests: false,
  anyFile,
  signals: anyFile,
  hangUpBehindData: true,
}, () => new ToySelector()));
