// One descriptor: its properties, its faults, and its last minutes on this page.

import {
  address,
  bytes,
  count,
  duration,
  element,
  events,
  kind,
} from "./format.js";
import { itemOf } from "./faults.js";
import { Plot } from "./plots.js";

const find = (id) => document.getElementById(id);

/** The dialog with the story. */
export class Story {
  /** The descriptor; null while the dialog is closed. */
  key = null;
  #dialog = find("story");
  #ready = new Plot(find("ready-plot"), count);
  #queue = new Plot(find("queue-plot"), bytes);

  constructor() {
    this.#dialog.onclose = () => this.key = null;
    this.#dialog.onclick = ({ target }) => {
      if (target === this.#dialog) this.#dialog.close();
    };
  }

  /** Opens the dialog. */
  open(row, faults) {
    this.key = row.key;
    this.#dialog.showModal();
    this.show(row, faults);
  }

  /** Shows the present state of the descriptor; null if it is closed. */
  show(row, faults) {
    if (row === null) {
      find("story-title").textContent += " (closed)";
      this.key = null;
      return;
    }
    find("story-title").textContent = `Descriptor ${row.fd}`;
    find("story-faults").replaceChildren(
      ...faults.map((fault) =>
        itemOf({ latest: fault, worst: fault, times: fault.count ?? 1 })
      ),
    );
    const { times, ready, queued } = row.past;
    this.#ready.draw(times, ready);
    this.#queue.draw(times, queued);
    const fields = fieldsOf(row);
    find("story-fields").replaceChildren(
      ...fields.map(([name, value]) => {
        const field = document.createElement("div");
        field.append(element("dt", name), element("dd", value));
        return field;
      }),
    );
  }
}

function fieldsOf(row) {
  const { file } = row;
  return [
    ["Kind", kind(file)],
    ["Owner", row.role],
    ["Own address", address(file.localAddress)],
    ["Peer", address(file.remoteAddress)],
    ["Path", file.path ?? "–"],
    ["Callback", row.callback || "–"],
    ["Asked for", events(row.events)],
    ["State", row.paused ? "paused" : "active"],
    ["Registered for", duration(row.age)],
    ["Ready", count(row.ready)],
    ["In a row without progress", count(row.idle)],
    ["Bytes queued", bytes(row.bytesQueued)],
    ["Bytes read", bytes(row.bytesRead)],
    ["Bytes written", bytes(row.bytesWritten)],
  ];
}
