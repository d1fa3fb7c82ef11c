// The page of web_chat.ts. Names and lines are set as text, never as HTML.

/** The pause before the first try to reconnect, which doubles up to the longest, in ms. */
const SHORTEST_PAUSE = 500;
const LONGEST_PAUSE = 10_000;

/** How long a line may take to come back, until the status says that it waits, in ms. */
const PATIENCE = 1500;

/** Older lines are removed. */
const MAXIMUM_LINES = 500;

const find = (id) => document.getElementById(id);
const [lines, present, status, text] = ["lines", "present", "status", "text"]
  .map(find);

/** By this secret the page enters again, even if its old connection is still open. */
const key = crypto.getRandomValues(new Uint32Array(4)).join("-");

let socket = null;
let name = null;
let isWelcome = false;
/** Whether the current connection is in the room. */
let isIn = false;

/** The number of the last line. Only a room that keeps lines numbers them. */
let last = null;

/** Own lines that were sent and have not come back, by the numbers that they have here. */
const unconfirmed = new Map();
let sent = 0;

let failures = 0;
let timer = 0;

/** What is done with each kind of message. */
const receive = {
  welcome({ others, number = null, isComplete }) {
    const isBack = isWelcome;
    isWelcome = isIn = true;
    last = number;
    failures = 0;
    showStatus(`Connected as ${name}`);
    find("entrance").hidden = true;
    find("room").hidden = false;
    present.replaceChildren();
    [name, ...others].forEach(addGuest);
    if (!isBack) text.focus();
    else if (isComplete) addNotice("You are back.");
    else addNotice("You are back. Lines may be missing.");
    // A room that keeps lines recognizes those that it has.
    if (number !== null) unconfirmed.forEach(send);
    else unconfirmed.clear();
  },
  refused({ reason }) {
    leave();
    find("refusal").textContent = reason;
  },
  joined({ name }) {
    addGuest(name);
    addNotice(`${name} has joined`);
  },
  left({ name }) {
    for (const item of present.children) {
      if (item.textContent === name) item.remove();
    }
    addNotice(`${name} has left`);
  },
  stored({ id }) {
    confirm(id);
  },
  said({ name: author, text, number, id }) {
    if (number !== undefined) {
      if (last !== null && number <= last) return;
      last = number;
    }
    if (author === name) confirm(id);
    const item = document.createElement("li");
    item.className = author === name ? "own" : "";
    const title = document.createElement("b");
    title.append(element("bdi", author));
    const line = element("span", text);
    line.dir = "auto";
    item.append(title, line);
    addLine(item);
  },
};

function connect() {
  clearTimeout(timer);
  isIn = false;
  find("retry").hidden = true;
  showStatus("Connecting …");
  const url = new URL("room", location.href);
  url.protocol = url.protocol.replace("http", "ws");
  const opened = socket = new WebSocket(url);
  opened.onopen = () => opened.send(JSON.stringify({ name, key, after: last }));
  opened.onmessage = ({ data }) => {
    if (opened !== socket) return;
    const message = JSON.parse(data);
    receive[message.kind](message);
  };
  opened.onclose = () => {
    if (opened === socket) retryLater();
  };
}

/** Waits twice as long each time, and not as long as other pages. */
function retryLater() {
  socket = null;
  isIn = false;
  const pause = Math.min(LONGEST_PAUSE, SHORTEST_PAUSE * 2 ** failures++) *
    (0.5 + Math.random() / 2);
  const seconds = Math.ceil(pause / 1000);
  const unit = seconds === 1 ? "second" : "seconds";
  showStatus(`No connection. Next try in ${seconds} ${unit}.`, true);
  find("retry").hidden = false;
  timer = setTimeout(connect, pause);
}

/** Connects now, if the page waits for its next try. */
function retry() {
  if (name !== null && socket === null) connect();
}

/** Shows the entrance again. */
function leave() {
  clearTimeout(timer);
  const left = socket;
  socket = null;
  left?.close();
  name = null;
  isWelcome = isIn = false;
  last = null;
  unconfirmed.clear();
  find("retry").hidden = true;
  find("room").hidden = true;
  find("entrance").hidden = false;
  showStatus("Not connected");
  find("name").focus();
}

function send(text, id) {
  socket.send(JSON.stringify({ text, id }));
  setTimeout(() => {
    if (isIn && unconfirmed.has(id)) {
      showStatus("The room does not answer. Your line waits.", true);
    }
  }, PATIENCE);
}

function confirm(id) {
  unconfirmed.delete(id);
  const wasLost = status.className !== "";
  if (isIn && wasLost && unconfirmed.size === 0) {
    showStatus(`Connected as ${name}`);
  }
}

function showStatus(message, isLost = false) {
  status.textContent = message;
  status.className = isLost ? "lost" : "";
}

function element(tag, content) {
  const created = document.createElement(tag);
  created.textContent = content;
  return created;
}

function addGuest(guest) {
  present.append(element("li", guest));
}

function addNotice(message) {
  const item = element("li", message);
  item.className = "notice";
  addLine(item);
}

/** Adds a line, and scrolls to it unless the reader has scrolled up. */
function addLine(item) {
  const below = lines.scrollHeight - lines.scrollTop - lines.clientHeight;
  lines.append(item);
  if (lines.children.length > MAXIMUM_LINES) lines.firstChild.remove();
  if (below < 50) lines.scrollTop = lines.scrollHeight;
}

find("enter").onsubmit = (event) => {
  event.preventDefault();
  find("refusal").textContent = "";
  name = find("name").value.trim();
  failures = 0;
  const earlier = socket;
  connect();
  earlier?.close();
};

find("say").onsubmit = (event) => {
  event.preventDefault();
  if (!isIn || socket.readyState !== WebSocket.OPEN) {
    return showStatus("Not sent: there is no connection yet.", true);
  }
  const line = text.value.trim();
  text.value = "";
  if (line === "") return;
  unconfirmed.set(++sent, line);
  send(line, sent);
};

find("retry").onclick = () => {
  // The button, which is hidden now, would lose the focus.
  text.focus();
  retry();
};
addEventListener("online", retry);

// Without this script the browser would send the form itself, and load the page again.
find("entrance").inert = false;
find("name").focus();
