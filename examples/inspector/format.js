// Values as texts. A value that is not known is a dash.

const EVENTS = [
  [1, "read"],
  [2, "write"],
  [4, "priority"],
  [64, "hang-up"],
  [8, "edge-triggered"],
  [16, "one-shot"],
  [32, "exclusive"],
];

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const short = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

const known = (format) => (value) => value === null ? "–" : format(value);

export const count = known((value) => whole.format(value));

export const bytes = known((value) => {
  let unit = 0;
  for (; value >= 1024 && unit < UNITS.length - 1; unit++) value /= 1024;
  return `${(unit === 0 ? whole : short).format(value)} ${UNITS[unit]}`;
});

/** A duration in milliseconds. */
export const duration = known((value) => {
  if (value < 1000) return `${tenths.format(value)} ms`;
  if (value < 60_000) return `${short.format(value / 1000)} s`;
  if (value < 3_600_000) return `${short.format(value / 60_000)} min`;
  return `${short.format(value / 3_600_000)} h`;
});

/** The events and modes of a registration. */
export const events = (value) =>
  EVENTS.filter(([bit]) => value & bit).map(([, name]) => name).join(", ") ||
  "none";

/** An address of IP or of a Unix socket. */
export function address(value) {
  if (value === null) return "–";
  if ("path" in value) return value.path || "unnamed";
  const { hostname, port } = value;
  return `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
}

/** The kind of a descriptor. */
export function kind({ kind, domain, type, listening }) {
  if (kind !== "socket") return kind;
  const family = { ipv4: "IPv4", ipv6: "IPv6", unix: "Unix" }[domain] ?? domain;
  return [family, type, listening ? "listener" : "socket"]
    .filter(Boolean).join(" ");
}

/** The addresses of a socket, or the path of a file. */
export function place({ localAddress, remoteAddress, path }) {
  if (path !== null) return path;
  if (remoteAddress === null) return address(localAddress);
  return `${address(localAddress)} ↔ ${address(remoteAddress)}`;
}

const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });

/** A time of day. */
export const time = (value) => clock.format(value);

/** An element with a text, which is never parsed as HTML. */
export function element(tag, text = "", className = "") {
  const created = document.createElement(tag);
  created.textContent = text;
  created.className = className;
  return created;
}
