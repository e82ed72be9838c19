/**
 * Pushed events, gathered: at most one delivery per animation frame, and of each file its newest state only.
 * Thousands of updates a second cost a few map writes each and one patch of the rows that are seen.
 */

/** While the page is hidden there are no frames; then this often. */
const HIDDEN_MS = 1000;
/** More files than this in one delivery: the view had better ask again. */
const MOST_FILES = 2000;

export class Batch {
  #deliver;
  #files = new Map();
  #tooMany = false;
  #scheduled = false;

  /** @param {(files: Map<number, Object>, tooMany: boolean) => void} deliver */
  constructor(deliver) {
    this.#deliver = deliver;
  }

  /** Add an event `container_status`; log messages of the same file are kept in order. */
  add(event) {
    const before = this.#files.get(event.container_id);
    if (before) event.attributes.log_messages = [...logs(before), ...logs(event)];
    else if (this.#files.size >= MOST_FILES) this.#tooMany = true;
    if (before || this.#files.size < MOST_FILES) this.#files.set(event.container_id, event);
    this.#schedule();
  }

  /** Note that more has changed than was pushed. */
  addUnknown() {
    this.#tooMany = true;
    this.#schedule();
  }

  #schedule() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    if (document.hidden) setTimeout(() => this.#flush(), HIDDEN_MS);
    else requestAnimationFrame(() => this.#flush());
  }

  #flush() {
    const [files, tooMany] = [this.#files, this.#tooMany];
    this.#files = new Map();
    this.#tooMany = false;
    this.#scheduled = false;
    this.#deliver(files, tooMany);
  }
}

/** The log messages of an event. */
export const logs = (event) => event.attributes?.log_messages ?? [];

/** Call `work` now or soon, never more often than every `ms`, and always once after the last request. */
export function throttled(work, ms) {
  let timer = 0;
  let last = -Infinity;
  const run = () => {
    timer = 0;
    last = performance.now();
    work();
  };
  const ask = () => {
    if (timer === 0) timer = setTimeout(run, Math.max(0, last + ms - performance.now()));
  };
  ask.stop = () => clearTimeout(timer);
  return ask;
}
