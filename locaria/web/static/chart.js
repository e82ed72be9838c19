/**
 * The last hour as two pictures on one time axis: what ended in each minute, and how long the queue was. Pointer
 * or arrow keys read out a minute; the same numbers stand in a table below.
 */

import { h, setAttribute, setChildren, setText, svg } from "./dom.js";
import { count, number } from "./format.js";

const MINUTE = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const WIDTH = 600;
const HEIGHT = 100;

export class HourChart {
  #minutes = [];
  #at = null;
  #ended = panel("Finished per minute", "ended");
  #queue = panel("Waiting", "queue");
  #readout = h("p", { class: "readout", "aria-live": "polite" });
  #table = h("details", { class: "numbers-table" }, h("summary", {}, "Show as a table"));

  constructor() {
    const legend = h(
      "p",
      { class: "legend" },
      h("span", { class: "key", "data-series": "done" }, "done"),
      h("span", { class: "key", "data-series": "failed" }, "failed"),
      h("span", { class: "key", "data-series": "queue" }, "waiting"),
    );
    const axis = h(
      "p",
      { class: "axis", "aria-hidden": "true" },
      h("span", {}, "an hour ago"),
      h("span", {}, "30 min"),
      h("span", {}, "now"),
    );
    const plots = h(
      "div",
      {
        class: "plots",
        tabindex: "0",
        role: "group",
        "aria-label": "Throughput and queue; use the arrow keys to read each minute",
      },
      this.#ended.node,
      this.#queue.node,
      axis,
    );
    plots.addEventListener("pointermove", (event) => this.#point(event));
    plots.addEventListener("pointerleave", () => this.#read(null));
    plots.addEventListener("keydown", (event) => this.#key(event));
    plots.addEventListener("blur", () => this.#read(null));
    this.node = h("div", { class: "chart" }, legend, plots, this.#readout, this.#table);
  }

  /** @param {{at: string, inserted: number, done: number, failed: number, queue: number}[]} minutes oldest first. */
  show(minutes) {
    this.#minutes = minutes;
    const done = sum(minutes, "done");
    const failed = sum(minutes, "failed");
    const most = Math.max(1, ...minutes.map((minute) => minute.done + minute.failed));
    const longest = Math.max(1, ...minutes.map((minute) => minute.queue));
    const ended = done + failed;
    const words = ended
      ? `${number(done)} done and ${number(failed)} failed in the last hour, ${number(most)} at most in one minute.`
      : "Nothing finished in the last hour.";
    this.#ended.show(words, ended ? most : 0, bars(minutes, most));
    const now = minutes.at(-1)?.queue ?? 0;
    const isIdle = minutes.every((minute) => minute.queue === 0);
    const queueWords = isIdle
      ? "No file was waiting."
      : `${count(now, "file")} waiting now, ${number(longest)} at most in the last hour.`;
    this.#queue.show(queueWords, isIdle ? 0 : longest, [area(minutes, longest)]);
    this.#showTable(minutes);
    this.#read(this.#at);
  }

  #point(event) {
    const box = this.#ended.picture.getBoundingClientRect();
    this.#read(Math.floor(((event.clientX - box.left) / box.width) * this.#minutes.length));
  }

  #key(event) {
    const last = this.#minutes.length - 1;
    const now = this.#at ?? last + 1;
    const wanted = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: last, Escape: null }[event.key];
    if (wanted === undefined) return;
    event.preventDefault();
    this.#read(wanted);
  }

  #read(index) {
    const last = this.#minutes.length - 1;
    this.#at = index === null || last < 0 ? null : Math.max(0, Math.min(last, index));
    const minute = this.#minutes[this.#at];
    const x = minute && ((this.#at + 0.5) / this.#minutes.length) * WIDTH;
    for (const plot of [this.#ended, this.#queue]) plot.mark(x);
    const words = minute
      ? `${MINUTE.format(new Date(minute.at))}: ${number(minute.done)} done, ${number(minute.failed)} failed, ${number(minute.inserted)} inserted, ${number(minute.queue)} waiting`
      : `${this.#ended.words} ${this.#queue.words}`;
    setText(this.#readout, words);
  }

  #showTable(minutes) {
    const busy = minutes.filter((minute) => minute.done || minute.failed || minute.inserted || minute.queue);
    const heads = ["Minute", "Inserted", "Done", "Failed", "Waiting"];
    const row = (minute) => {
      const cells = [minute.inserted, minute.done, minute.failed, minute.queue];
      return h(
        "tr",
        {},
        h("th", { scope: "row" }, MINUTE.format(new Date(minute.at))),
        cells.map((n) => h("td", {}, number(n))),
      );
    };
    const table = h(
      "table",
      {},
      h(
        "caption",
        {},
        busy.length ? "Minutes with activity, newest first" : "No activity in the last hour",
      ),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          heads.map((head) => h("th", { scope: "col" }, head)),
        ),
      ),
      h("tbody", {}, [...busy].reverse().map(row)),
    );
    setChildren(this.#table, this.#table.firstElementChild, table);
  }
}

const sum = (minutes, name) => minutes.reduce((total, minute) => total + minute[name], 0);

/** One picture with its scale, and a line that marks a minute. */
function panel(label, name) {
  const title = svg("title", { id: `${name}-title` }, label);
  const description = svg("desc", { id: `${name}-desc` });
  const marks = svg("g", {});
  const line = svg("line", { class: "marker", y1: "0", y2: String(HEIGHT), visibility: "hidden" });
  const picture = svg(
    "svg",
    {
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      preserveAspectRatio: "none",
      role: "img",
      "aria-labelledby": `${name}-title ${name}-desc`,
      class: "plot",
      "data-plot": name,
    },
    title,
    description,
    svg("line", { class: "grid", x1: "0", x2: String(WIDTH), y1: "50", y2: "50" }),
    marks,
    line,
  );
  const top = h("span", { class: "scale" });
  const node = h("div", { class: "plot-row" }, h("p", { class: "plot-label" }, label), top, picture);
  return {
    node,
    picture,
    words: "",
    show(words, most, shapes) {
      this.words = words;
      setText(description, words);
      setText(top, number(most));
      setChildren(marks, shapes);
    },
    mark(x) {
      setAttribute(line, "visibility", x === undefined ? "hidden" : "visible");
      if (x !== undefined) for (const end of ["x1", "x2"]) setAttribute(line, end, x);
    },
  };
}

/** Two stacked bars a minute: failed on top, where it is seen. */
function bars(minutes, most) {
  const step = WIDTH / Math.max(1, minutes.length);
  return minutes.flatMap((minute, index) => {
    const x = index * step + step * 0.12;
    const done = (minute.done / most) * HEIGHT;
    const failed = (minute.failed / most) * HEIGHT;
    const bar = (series, height, y) =>
      height > 0 && svg("rect", { "data-series": series, x, y, width: step * 0.76, height });
    return [bar("done", done, HEIGHT - done), bar("failed", failed, HEIGHT - done - failed)];
  });
}

/** The queue, as steps from minute to minute. */
function area(minutes, longest) {
  const step = WIDTH / Math.max(1, minutes.length);
  const y = (minute) => (HEIGHT - (minute.queue / longest) * (HEIGHT - 2)).toFixed(1);
  const top = minutes.map((minute, index) => `L${(index * step).toFixed(1)} ${y(minute)}h${step.toFixed(1)}`).join("");
  return svg("path", { "data-series": "queue", d: `M0 ${HEIGHT}${top}L${WIDTH} ${HEIGHT}Z` });
}
