// The page of the inspector: it asks for all rows again and again, and is sent a sample
// each second. Names from the program are set as text, never as HTML.

import { Faults } from "./faults.js";
import { bytes, count, duration, events, kind, place } from "./format.js";
import { Plot } from "./plots.js";
import { Story } from "./story.js";
import { Table } from "./table.js";

/** The pause between two requests of all rows, in milliseconds. */
const PAUSE = 1000;

/** Samples and rows in a row without progress that count: as the program's own limits. */
const KEPT = 300;
const SPIN = 1000;

const find = (id) => document.getElementById(id);

const story = new Story();
const faults = new Faults(find("faults"), (fd) => {
  const row = [...rows.values()].find((row) => row.fd === fd);
  if (row !== undefined) openStory(row);
});
const lagPlot = new Plot(find("lag-plot"), duration);
const eventsPlot = new Plot(find("events-plot"), count);

const descriptors = new Table(
  find("descriptors"),
  [
    number("fd", "The descriptor", ({ fd }) => fd, String),
    long("Callback", "The function that is called", ({ callback }) => callback),
    text("Kind", "The answer of the system", ({ file }) => kind(file)),
    long("Address or path", "Own ↔ peer", ({ file }) => place(file)),
    number("Ready/s", "How often it is ready", ({ rate }) => rate, count),
    number(
      "No progress",
      "How often in a row it was ready, and no data was moved",
      ({ idle }) => idle,
      count,
    ),
    number("Queued", "Bytes to be sent", (row) => row.bytesQueued, bytes),
    number("Read", "Bytes since the start", (row) => row.bytesRead, bytes),
    number(
      "Written",
      "Bytes since the start",
      (row) => row.bytesWritten,
      bytes,
    ),
    number("Age", "Since its registration", ({ age }) => age, duration),
    text("Owner", "The object that owns it", ({ role }) => role),
    long("Asked for", "Events and modes", (row) => eventsOf(row)),
  ],
  "Ready/s",
  true,
  openStory,
);

const timers = new Table(
  find("timers"),
  [
    number("Due in", "Until the next call", (timer) => timer.due, duration),
    number(
      "Every",
      "Between two calls",
      ({ interval }) => interval || null,
      duration,
    ),
    long("Callback", "The function that is called", ({ callback }) => callback),
  ],
  "Due in",
  false,
);

function text(title, help, value) {
  return { title, help, value, text: (row) => value(row) || "–" };
}

/** A column whose texts are cut where they are long. */
function long(title, help, value) {
  return { ...text(title, help, value), isLong: true };
}

function number(title, help, value, format) {
  return {
    title,
    help,
    value,
    text: (row) => format(value(row)),
    isNumber: true,
  };
}

function eventsOf({ events: asked, paused }) {
  return paused ? "paused" : events(asked);
}

/** The rows of the last answer by their keys, and the samples up to now. */
let rows = new Map();
let samples = [];
let isPaused = false;

function openStory(row) {
  story.open(row, faults.of(row.fd));
}

function showSample(sample) {
  samples = [...samples, sample].slice(-KEPT);
  showSamples();
}

function showSamples() {
  const times = samples.map(({ time }) => time / 1000);
  lagPlot.draw(times, samples.map(({ lag }) => lag));
  eventsPlot.draw(times, samples.map(({ events }) => events));
  const last = samples.at(-1);
  if (last === undefined) return;
  find("lag").textContent = duration(last.lag);
  find("events").textContent = `${count(last.events)}/s`;
  find("connections").textContent = count(last.connections);
  find("registered").textContent = count(last.registered);
  find("queued").textContent = bytes(last.bytesQueued);
  find("timer-count").textContent = count(last.timers);
}

function showFaults() {
  find("no-faults").hidden = faults.size > 0;
}

function listen() {
  const source = new EventSource("events");
  source.addEventListener("history", ({ data }) => {
    const history = JSON.parse(data);
    samples = history.samples;
    faults.all = history.faults;
    showSamples();
    showFaults();
    showStatus("Connected");
  });
  source.addEventListener("sample", ({ data }) => showSample(JSON.parse(data)));
  source.addEventListener("fault", ({ data }) => {
    faults.add(JSON.parse(data));
    showFaults();
  });
  source.onerror = () => {
    showStatus("No connection. The page tries again.", true);
    // The browser itself tries again, except after some errors.
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, PAUSE);
  };
}

function showStatus(message, isLost = false) {
  const status = find("status");
  status.textContent = message;
  status.className = isLost ? "lost" : "";
}

async function ask() {
  try {
    if (!isPaused && !document.hidden) await askForRows();
  } catch {
    // The status has it from the other connection.
  }
  setTimeout(ask, PAUSE);
}

async function askForRows() {
  const response = await fetch("rows");
  const [clock, ...answer] = (await response.text()).trim().split("\n")
    .map((line) => JSON.parse(line));
  if (isPaused) return;
  const seconds = Date.now() / 1000;
  const before = rows;
  rows = new Map();
  for (const row of answer) {
    if (row.subject !== "descriptor") continue;
    complete(row, before, clock.now, seconds);
    rows.set(row.key, row);
  }
  descriptors.rows = [...rows.values()];
  timers.rows = answer.filter(({ subject }) => subject === "timer")
    .map((timer) => ({
      ...timer,
      due: Math.max(timer.deadline - clock.now, 0),
    }));
  find("no-timers").hidden = timers.matching > 0;
  showCount();
  if (story.key === null) return;
  const row = rows.get(story.key) ?? null;
  story.show(row, row === null ? [] : faults.of(row.fd));
}

/** Adds to a row what is known from the rows before. */
function complete(row, before, now, seconds) {
  // A number of the system may be given to another file: that has another time.
  row.key = `${row.fd} ${row.since} ${place(row.file)}`;
  row.age = row.since === null ? null : now - row.since;
  const earlier = before.get(row.key);
  const passed = earlier === undefined ? 0 : seconds - earlier.seconds;
  row.seconds = seconds;
  row.rate = passed > 0 && row.ready !== null
    ? (row.ready - earlier.ready) / passed
    : 0;
  row.mark = row.idle >= SPIN ? "spinning" : "";
  const past = earlier?.past ?? { times: [], ready: [], queued: [] };
  append(past.times, seconds);
  append(past.ready, row.rate);
  append(past.queued, row.bytesQueued);
  row.past = past;
}

function append(values, value) {
  values.push(value);
  if (values.length > KEPT) values.shift();
}

function showCount() {
  const { matching, shown } = descriptors;
  find("count").textContent = shown < matching
    ? `${count(shown)} of ${count(matching)} are shown. A filter narrows them.`
    : matching < rows.size
    ? `${count(matching)} of ${count(rows.size)} match`
    : "";
}

find("filter").oninput = ({ target }) => {
  descriptors.filter = target.value;
  showCount();
};

find("pause").onclick = ({ target }) => {
  isPaused = !isPaused;
  target.ariaPressed = String(isPaused);
  target.textContent = isPaused ? "Continue" : "Pause";
};

listen();
ask();
