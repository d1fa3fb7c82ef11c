/**
 * Bursts of datagrams: each peer sends a number of packets at once, and the next burst
 * when all of them have come back.
 *
 * @module
 */

import { libc } from "../../backends/ffi/libc.ts";
import { Socket } from "../../backends/ffi/socket.ts";
import type { Latencies } from "./latencies.ts";
import {
  IncomingVector,
  OutgoingVector,
  type Part,
} from "./datagram_vector.ts";
import { type Load, LoadError, PATIENCE } from "./load.ts";

/** <linux/udp.h>: the options of segmentation, at the level IPPROTO_UDP. */
const IPPROTO_UDP = 17;
const UDP_SEGMENT = 103;
const UDP_GRO = 104;

/** How many segments one message has: few enough for 65,507 bytes. */
const SEGMENTS = 32;

/** After this time packets count as lost, in milliseconds. */
const LOSS_MS = 100;

/** How many datagrams one receive takes. */
const RECEIVED = 64;

const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;

/** One of so many packets is compared to its last byte. */
const COMPARED = 8;

/** The first words of a packet. */
const ROUND = 0;
const NUMBER = 1;

/** The shape of a load. */
export interface BurstOptions {
  readonly peers: number;
  /** How many packets a peer sends at once. */
  readonly packets: number;
  /** The bytes of a packet, a multiple of 4. */
  readonly size: number;
  /** Whether the kernel segments and coalesces packets (UDP_SEGMENT, UDP_GRO). */
  readonly offload?: boolean;
}

/**
 * All peers share a socket: each has a source address of 127/8. So one call sends or
 * receives packets of many peers, and the load does less than any server. It polls
 * without sleeping, since to wake it up would cost time of the server.
 *
 * Each packet has its round, its number and random words. The round, the number, the
 * length and the last word are checked of each packet, and all words of some.
 */
export class Bursts implements Load {
  readonly connections: number;
  lost = 0;
  readonly #socket: Socket;
  readonly #outgoing: OutgoingVector;
  readonly #incoming = new IncomingVector(RECEIVED);
  readonly #packets: number;
  readonly #messages: number;
  readonly #size: number;
  /** The packets of all peers, one after another, as words. */
  readonly #sent: Uint32Array<ArrayBuffer>;
  /** By packet: whether its answer is awaited. */
  readonly #awaited: Uint8Array;
  /** By peer: its round, how many answers are missing, and when it has sent. */
  readonly #rounds: Uint32Array;
  readonly #missing: Int32Array;
  readonly #sentAt: Float64Array;

  constructor(port: number, options: BurstOptions) {
    const { peers, packets, size, offload = false } = options;
    this.connections = peers;
    this.#packets = packets;
    this.#size = size;
    this.#messages = offload ? Math.ceil(packets / SEGMENTS) : packets;
    this.#sent = randomWords(peers * packets * size / 4);
    this.#awaited = new Uint8Array(peers * packets);
    this.#rounds = new Uint32Array(peers);
    this.#missing = new Int32Array(peers);
    this.#sentAt = new Float64Array(peers);
    for (let number = 0; number < peers * packets; number++) {
      this.#sent[number * size / 4 + NUMBER] = number;
    }
    this.#outgoing = new OutgoingVector(this.#parts(), port);
    this.#socket = open(offload ? size : null);
  }

  run(milliseconds: number, latencies: Latencies): number {
    const { fd } = this.#socket;
    const start = performance.now();
    const end = start + milliseconds;
    for (let peer = 0; peer < this.connections; peer++) {
      this.#begin(peer, start);
    }
    this.#outgoing.send(fd);

    let answered = 0;
    let heard = start;
    let now = start;
    for (let pending = this.connections; pending > 0;) {
      const before = now;
      const count = this.#incoming.receive(fd);
      now = performance.now();
      if (count > 0) {
        heard = now;
        answered += this.#take(count, now, latencies);
      } else {
        // The scheduler may have stopped this process: answers may have come since.
        this.#giveUp(before - LOSS_MS);
        if (before > heard + PATIENCE) {
          throw new LoadError("the server does not answer");
        }
      }
      pending -= this.#beginFinished(now, now < end);
      this.#outgoing.send(fd);
    }
    return answered;
  }

  /** The messages of all peers: single packets, or as many as one message may have. */
  #parts(): Part[] {
    const bytes = new Uint8Array(this.#sent.buffer);
    const burst = this.#packets * this.#size;
    const part = burst / this.#messages;
    return Array.from({ length: bytes.length / part }, (_, index) => ({
      memory: bytes.subarray(index * part, (index + 1) * part),
      source: `127.0.1.${Math.floor(index / this.#messages) + 1}`,
    }));
  }

  #begin(peer: number, now: number): void {
    const round = ++this.#rounds[peer]!;
    const first = peer * this.#packets;
    for (let number = first; number < first + this.#packets; number++) {
      this.#sent[number * this.#size / 4 + ROUND] = round;
      this.#awaited[number] = 1;
    }
    this.#missing[peer] = this.#packets;
    this.#sentAt[peer] = now;
    this.#outgoing.add(peer * this.#messages, this.#messages);
  }

  /** Counts the missing answers to all bursts that were sent before a time as lost. */
  #giveUp(time: number): void {
    for (let peer = 0; peer < this.connections; peer++) {
      const missing = this.#missing[peer]!;
      if (missing <= 0 || this.#sentAt[peer]! > time) continue;
      this.lost += missing;
      this.#missing[peer] = 0;
    }
  }

  /** Begins bursts of peers that miss no answer. @returns how many peers end instead */
  #beginFinished(now: number, again: boolean): number {
    let ended = 0;
    for (let peer = 0; peer < this.connections; peer++) {
      if (this.#missing[peer] !== 0) continue;
      this.#missing[peer] = -1;
      if (again) this.#begin(peer, now);
      else {
        // Later answers belong to no round.
        this.#rounds[peer]!++;
        ended++;
      }
    }
    return ended;
  }

  /** Takes received messages. @returns how many packets were awaited */
  #take(count: number, now: number, latencies: Latencies): number {
    const { words, stride } = this.#incoming;
    const size = this.#size;
    let answered = 0;
    for (let index = 0; index < count; index++) {
      const length = this.#incoming.length(index);
      if (length % size !== 0) {
        throw new LoadError(`the server has sent back ${length} bytes`);
      }
      const start = index * stride;
      for (let at = start; at < start + length / 4; at += size / 4) {
        const number = words[at + NUMBER]!;
        const peer = Math.floor(number / this.#packets);
        // An answer that comes too late counts as lost.
        if (this.#rounds[peer] !== words[at + ROUND]) continue;
        this.#compare(at, number);
        if (this.#awaited[number] === 0) {
          throw new LoadError("the server has sent back a packet twice");
        }
        this.#awaited[number] = 0;
        this.#missing[peer]!--;
        latencies.add(now - this.#sentAt[peer]!);
        answered++;
      }
    }
    return answered;
  }

  #compare(at: number, number: number): void {
    const { words } = this.#incoming;
    const length = this.#size / 4;
    const sent = number * length;
    const isWhole = (number + words[at + ROUND]!) % COMPARED === 0;
    for (let word = isWhole ? NUMBER : length - 1; word < length; word++) {
      if (words[at + word] !== this.#sent[sent + word]) {
        throw new LoadError("the server has sent back other bytes");
      }
    }
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

/** A socket for all peers. @param segment The bytes of a segment; null without offload */
function open(segment: number | null): Socket {
  const socket = Socket.create("IPv4", "datagram");
  socket.bind({ hostname: "0.0.0.0", port: 0 });
  socket.setOption("receiveBufferSize", RECEIVE_BUFFER_BYTES);
  if (segment === null) return socket;
  const { setsockopt } = libc();
  const options = [[UDP_SEGMENT, segment], [UDP_GRO, 1]] as const;
  for (const [option, value] of options) {
    const data = Int32Array.of(value);
    if (setsockopt(socket.fd, IPPROTO_UDP, option, data, 4) >= 0) continue;
    socket.close();
    throw new LoadError("the kernel has no segmentation of UDP");
  }
  return socket;
}

function randomWords(length: number): Uint32Array<ArrayBuffer> {
  return Uint32Array.from({ length }, () => Math.random() * 2 ** 32);
}
