/** The frame around the pages: connection, identity, routes, and who gets which pushed event. */

import { announce, toast } from "./announce.js";
import { failure } from "./actions.js";
import { Batch } from "./batch.js";
import { askToken } from "./dialogs.js";
import { h, setAttribute, setChildren, setText } from "./dom.js";
import { timeOfDay } from "./format.js";
import { parseRoute } from "./router.js";
import { ApiError, ConnectionLostError } from "./socket.js";
import { filePage } from "./views/file.js";
import { filesPage } from "./views/files.js";
import { overviewPage } from "./views/overview.js";
import { submitPage } from "./views/submit.js";

/**
 * A page: `node` to show, `title` of the window, `load()` fetches what it shows (at first, and after each new
 * connection), `follows` the file whose changes it wants (null: all, undefined: none), `changed(files, tooMany)` gets
 * them, `close()` ends its timers.
 * @typedef {{node: HTMLElement, title: string, load: () => Promise<void>, follows?: number|null,
 *   changed?: (files: Map<number, Object>, tooMany: boolean) => void, update?: (route: Object) => boolean (then `load`),
 *   close?: () => void}} Page
 */

/** After an error of the server itself. */
const AGAIN_MS = 5000;
const PAGES = { overview: overviewPage, files: filesPage, file: filePage, submit: submitPage, unknown: unknownPage };

export class App {
  #connection;
  #batch = new Batch((files, tooMany) => this.#page?.changed?.(files, tooMany));
  /** @type {Page|null} */
  #page = null;
  #route = null;
  #subscribed = undefined;
  #wasOpen = false;
  #lostAt = null;
  #countdown = 0;
  #asking = false;

  /** @param {import("./socket.js").Connection} connection */
  constructor(connection) {
    this.#connection = connection;
    connection.addEventListener("state", () => this.#showState());
    connection.addEventListener("open", () => this.#opened());
    connection.addEventListener("push", (event) => this.#pushed(event.detail));
    addEventListener("hashchange", () => this.#go());
    document.getElementById("skip").addEventListener("click", (event) => {
      event.preventDefault();
      document.getElementById("main").focus();
    });
  }

  /** Show the page that the address names, and connect. */
  start() {
    this.#go();
    this.#connection.open();
  }

  /** See Connection.request. */
  request(method, parameters) {
    return this.#connection.request(method, parameters);
  }

  /** {role, subject} as the server has said; null: not known, as on a machine that trusts everybody on it. */
  get identity() {
    return this.#connection.identity;
  }

  get isConnected() {
    return this.#connection.state === "open";
  }

  // -- pages -----------------------------------------------------------------------------------

  #go() {
    const route = parseRoute(location.hash);
    const same = this.#route?.page === route.page && this.#route.id === route.id;
    this.#route = route;
    if (same && this.#page?.update?.(route)) {
      if (this.isConnected) this.#refill();
      return;
    }
    const isFirst = this.#page === null;
    this.#page?.close?.();
    this.#page = PAGES[route.page](this, route);
    document.title = `${this.#page.title} · Locaria`;
    const [section, kind] = route.page === "file" ? ["files", "true"] : [route.page, "page"];
    for (const link of document.querySelectorAll("#nav a")) {
      setAttribute(link, "aria-current", link.dataset.page === section && kind);
    }
    this.#show(this.#page.node);
    if (!isFirst) {
      scrollTo(0, 0);
      document.getElementById("main").focus({ preventScroll: true });
      announce(this.#page.title);
    }
    if (this.isConnected) this.#fill();
  }

  /** Subscribe first, then ask: whatever changes in between is pushed. */
  async #fill() {
    const page = this.#page;
    try {
      await Promise.all([this.#subscribe(page.follows), page.load()]);
    } catch (error) {
      if (error instanceof ConnectionLostError) return; // The banner says so, and all is fetched anew.
      if (!(error instanceof ApiError)) throw error;
      if (page !== this.#page) return;
      const again = this.#button("Try again", () => this.#refill());
      this.#show(problem(failure(error), again));
      if (error.code >= 500) setTimeout(() => page === this.#page && this.isConnected && this.#refill(), AGAIN_MS);
    }
  }

  #refill() {
    this.#show(this.#page.node);
    this.#fill();
  }

  /** Nothing is touched that is there already: it would lose the focus. */
  #show(node) {
    const main = document.getElementById("main");
    if (main.firstChild !== node) setChildren(main, node);
  }

  async #subscribe(wanted) {
    if (this.#subscribed === wanted) return;
    const before = this.#subscribed;
    this.#subscribed = wanted;
    const only = (id) => (id === null ? {} : { container_id: id });
    // Sent in this order, answered in this order. What can't be subscribed to is not there: the page says so.
    const asked = [];
    if (before !== undefined) asked.push(this.request("unsubscribe", only(before)));
    if (wanted !== undefined) asked.push(this.request("subscribe", only(wanted)));
    await Promise.all(asked).catch((error) => {
      if (error.code !== 404) throw error;
    });
  }

  /**
   * Bring a page up to date beside what it shows. Without a connection nothing is asked: all is when it is back.
   * @param {() => Promise<void>} work
   */
  async refresh(work) {
    if (!this.isConnected) return;
    try {
      await work();
    } catch (error) {
      if (error instanceof ApiError) toast(`Not up to date: ${failure(error)}`, "bad");
      else if (!(error instanceof ConnectionLostError)) throw error;
    }
  }

  #pushed(message) {
    if (message.event === "container_status") this.#batch.add(message);
    else if (message.event) this.#batch.addUnknown();
  }

  #showIdentity() {
    const { role, subject } = this.identity ?? {};
    setText(document.getElementById("whoami"), role ? `Signed in as ${subject ? `${subject}, ` : ""}${role}.` : "");
  }

  // -- connection ------------------------------------------------------------------------------

  #opened() {
    this.#subscribed = undefined;
    if (this.#wasOpen) announce("Reconnected. The page is up to date.");
    this.#wasOpen = true;
    this.#lostAt = null;
    this.#showIdentity();
    this.#fill();
  }

  #showState() {
    const { state } = this.#connection;
    if (state !== "open" && this.#wasOpen) this.#lostAt ??= new Date();
    const link = document.getElementById("link");
    setAttribute(link, "data-state", state);
    clearInterval(this.#countdown);
    this.#showLink();
    this.#showBanner();
    if (state === "waiting") this.#countdown = setInterval(() => this.#showLink(), 500);
    if (state === "denied") this.#signIn();
  }

  #showLink() {
    const { state, nextTry } = this.#connection;
    const seconds = Math.max(0, Math.ceil((nextTry - Date.now()) / 1000));
    const words = { open: "Live", connecting: "Connecting…", denied: "Signed out" }[state];
    setText(document.getElementById("link-words"), words ?? `Offline, retrying in ${seconds} s`);
  }

  #showBanner() {
    const banner = document.getElementById("banner");
    const { state } = this.#connection;
    if (state === "open") setChildren(banner);
    else if (state === "denied")
      setChildren(
        banner,
        h("p", {}, "You are not signed in. "),
        this.#button("Sign in", () => this.#signIn()),
      );
    else if (state === "waiting" && banner.firstChild?.textContent !== this.#lostWords()) {
      setChildren(
        banner,
        h("p", {}, this.#lostWords()),
        this.#button("Retry now", () => this.#connection.tryNow()),
      );
    }
    setAttribute(banner, "hidden", !banner.firstChild);
  }

  #lostWords() {
    const { reason } = this.#connection;
    if (reason) return `The server refused the connection: ${reason}.`;
    if (this.#lostAt === null) return "The server can’t be reached. Retrying…";
    return `The connection is lost. This page shows the state at ${timeOfDay(this.#lostAt)} and will update when it reconnects.`;
  }

  #button(label, work) {
    return h("button", { type: "button", class: "small", onclick: work }, label);
  }

  async #signIn() {
    if (this.#asking) return;
    this.#asking = true;
    const token = await askToken(this.#connection.reason);
    this.#asking = false;
    if (token) this.#connection.signIn(token);
  }
}

/** A page that says what went wrong. */
function problem(text, again) {
  const words = h("p", {}, h("bdi", {}, text));
  return h("section", { class: "empty" }, h("h1", {}, "Something went wrong"), words, h("p", {}, again), home());
}

const home = () => h("p", {}, h("a", { href: "#/files" }, "All files"));

function unknownPage() {
  const node = h("section", { class: "empty" }, h("h1", {}, "Page not found"), home());
  return { node, title: "Page not found", load: async () => {} };
}
