// The spins and stalls that were reported, and what to do about them.

import {
  count,
  duration,
  element,
  events,
  kind,
  place,
  time,
} from "./format.js";

/** Faults on the page, the latest ones. */
const MOST = 50;

/** The list of faults, the latest first. */
export class Faults {
  #faults = [];
  #list;
  #onClick;

  /** @param onClick Called with the descriptor whose story is asked for */
  constructor(list, onClick) {
    this.#list = list;
    this.#onClick = onClick;
  }

  get size() {
    return this.#faults.length;
  }

  set all(faults) {
    this.#faults = [...faults].reverse();
    this.#draw();
  }

  add(fault) {
    this.#faults = [fault, ...this.#faults].slice(0, MOST);
    this.#draw();
  }

  /** The faults of one descriptor. */
  of(fd) {
    return this.#faults.filter((fault) => fdOf(fault) === fd);
  }

  /** Stalls of one callback are one item, with the worst of them. */
  #draw() {
    const items = new Map();
    for (const fault of this.#faults) {
      const key = `${fault.kind} ${fault.callback ?? ""} ${fdOf(fault)}`;
      const group = items.get(key) ?? { latest: fault, worst: fault, times: 0 };
      group.times += fault.count ?? 1;
      if (fault.milliseconds > group.worst.milliseconds) group.worst = fault;
      items.set(key, group);
    }
    this.#list.replaceChildren(
      ...items.values().map((group) => itemOf(group, this.#onClick)),
    );
  }
}

const fdOf = (fault) => fault.kind === "spin" ? fault.descriptor.fd : fault.fd;

/** The item of a group of equal faults. */
export function itemOf({ latest, worst, times }, onClick = null) {
  const item = element("li", "", "fault");
  const title = element("p", "", "title");
  title.append(
    element("strong", latest.kind === "spin" ? "Spin" : "Stall"),
    element("span", titleOf(worst, times)),
    element("time", time(latest.time)),
  );
  item.append(title, element("p", adviceOf(latest), "advice"));
  if (worst.stack?.length > 0) item.append(stackOf(worst.stack));
  const fd = fdOf(latest);
  if (onClick !== null && fd !== null) {
    const button = element("button", `Story of descriptor ${fd}`);
    button.type = "button";
    button.onclick = () => onClick(fd);
    item.append(button);
  }
  return item;
}

function titleOf(fault, times) {
  if (fault.kind === "spin") {
    const { fd, file, callback } = fault.descriptor;
    const where = place(file) === "–"
      ? kind(file)
      : `${kind(file)} ${place(file)}`;
    return `Descriptor ${fd} (${where}), callback ${callback || "(anonymous)"}`;
  }
  const often = times === 1 ? "once" : `${count(times)} times`;
  return `${fault.callback} blocked the loop ${often}, ` +
    `for ${duration(fault.milliseconds)} at most`;
}

function adviceOf(fault) {
  if (fault.kind === "stall") {
    return "Divide its work by callSoon(), or move it to a Worker. Everything " +
      "else waits while it runs.";
  }
  const asked = events(fault.descriptor.events);
  return `It is ready (${asked}) again and again, and no data is moved. Read until ` +
    "nothing is left, or unregister it while the program cannot use it.";
}

function stackOf(stack) {
  const details = document.createElement("details");
  const list = document.createElement("ol");
  list.append(...stack.map((call) => element("li", call)));
  details.append(element("summary", "Stack"), list);
  return details;
}
