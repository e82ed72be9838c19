/** Log messages as they arrive: followed, or paused to read. */

import { h, setAttribute, setText } from "./dom.js";
import { count, dateTime, timeOfDay, visible } from "./format.js";

/** So many messages are kept on the page; the whole log is in the view `locaria.log`. */
const MOST = 500;
/** A message longer than this is folded. */
const LONG = 600;
const NEAR_END_PX = 40;

export class LogBox {
  #list = h("ol", { class: "log-lines" });
  #older = h("p", { class: "hint", hidden: true });
  #empty = h("p", { class: "hint" }, "Nothing has been logged yet.");
  #button = h("button", { type: "button", class: "small", "aria-pressed": "false" });
  #box;
  /** Numbers of the messages that are known; a transaction that took long commits a lower one late. */
  #known = new Set();
  #dropped = 0;
  #paused = false;
  #waiting = [];

  constructor() {
    this.#box = h(
      "div",
      { class: "log-box", tabindex: "0", role: "log", "aria-live": "off", "aria-label": "Log messages" },
      this.#older,
      this.#empty,
      this.#list,
    );
    this.#button.addEventListener("click", () => this.#pause(!this.#paused));
    this.#box.addEventListener("scroll", () => this.#scrolled());
    this.#showButton();
    this.node = h("section", { class: "log" }, h("div", { class: "bar" }, h("h2", {}, "Log"), this.#button), this.#box);
  }

  /**
   * Add what is new among these messages.
   * @param {{id: number, at?: string, date?: string, level: string, stage?: string, message?: string, log?: string}[]} messages
   * @returns {Object[]} the new ones.
   */
  add(messages) {
    const fresh = messages.filter((message) => !this.#known.has(message.id)).sort(byTime);
    if (fresh.length === 0) return fresh;
    for (const { id } of fresh) this.#known.add(id);
    if (this.#paused) {
      this.#waiting = [...this.#waiting, ...fresh].slice(-MOST);
      this.#showButton();
    } else {
      this.#append(fresh);
    }
    return fresh;
  }

  #append(messages) {
    const shown = messages.slice(-MOST);
    this.#list.append(...shown.map(line));
    this.#dropped += messages.length - shown.length;
    while (this.#list.childElementCount > MOST) {
      this.#list.firstElementChild.remove();
      this.#dropped += 1;
    }
    setAttribute(this.#empty, "hidden", true);
    setAttribute(this.#older, "hidden", this.#dropped === 0);
    setText(this.#older, `${count(this.#dropped, "older message")} not shown here: select * from locaria.log`);
    this.#box.scrollTop = this.#box.scrollHeight;
  }

  #pause(paused) {
    this.#paused = paused;
    if (!paused) {
      const waiting = this.#waiting;
      this.#waiting = [];
      this.#append(waiting);
    }
    this.#showButton();
  }

  /** Who scrolls up wants to read: new messages wait. Back at the end they flow again. */
  #scrolled() {
    const rest = this.#box.scrollHeight - this.#box.scrollTop - this.#box.clientHeight;
    if (!this.#paused && rest > NEAR_END_PX) this.#pause(true);
    else if (this.#paused && rest < 2 && this.#waiting.length === 0) this.#pause(false);
  }

  #showButton() {
    const n = this.#waiting.length;
    setText(this.#button, this.#paused ? (n ? `Follow (${count(n, "new message")})` : "Follow") : "Pause");
    setAttribute(this.#button, "aria-pressed", String(this.#paused));
  }
}

const timeOf = (message) => message.at ?? isoOf(message.date);
const byTime = (a, b) => new Date(timeOf(a)) - new Date(timeOf(b)) || a.id - b.id;

function line(message) {
  const text = message.message ?? message.log ?? "";
  const at = timeOf(message);
  const time = h("time", { datetime: at, title: dateTime(at) }, timeOfDay(at));
  const body = h("bdi", { class: "log-text" }, visible(text, LONG));
  const node = h("li", { "data-level": message.level }, time, h("span", { class: "level" }, message.level), body);
  if (text.length > LONG) node.append(unfold(body, text));
  return node;
}

/** "DD-MM-YYYY HH:MM:SS", in UTC, as get_container_status has it → ISO 8601. */
function isoOf(date) {
  const [day, time] = date.split(" ");
  return `${day.split("-").reverse().join("-")}T${time}Z`;
}

function unfold(body, text) {
  const button = h("button", { type: "button", class: "quiet small" }, `Show all ${count(text.length, "character")}`);
  button.addEventListener("click", () => {
    setText(body, visible(text));
    button.remove();
  });
  return button;
}
