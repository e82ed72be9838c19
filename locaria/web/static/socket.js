/**
 * The connection to the WebSocket API: requests with their replies, pushed events, and how it comes back
 * after it was lost. It knows nothing of the page.
 *
 * Events (CustomEvent): "state" when `state` changes, "open" for each new connection (the first as well), "push"
 * for each message that is no reply.
 */

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;
const REPLY_WITHIN_MS = 30_000;
/** API Gateway ends a connection after ten idle minutes. */
const KEEP_ALIVE_MS = 4 * 60_000;
const JSON_TYPE = { "content-type": "application/json" };
/** Close code of a connection whose token has expired. */
const EXPIRED = 4401;

/** The server refused a request. `errors` are [{path, reason}] of a 422. */
export class ApiError extends Error {
  constructor(reply) {
    super(reply.message ?? `error ${reply.code}`);
    this.code = reply.code;
    this.errors = reply.errors ?? [];
  }
}

/** There was no connection, or it broke before the reply: nobody knows whether the request was carried out. */
export class ConnectionLostError extends Error {
  constructor(wasSent) {
    super(wasSent ? "The connection was lost before the reply arrived." : "There is no connection to the server.");
    this.wasSent = wasSent;
  }
}

export class Connection extends EventTarget {
  /** @type {"connecting"|"open"|"waiting"|"denied"} */
  state = "connecting";
  /** When the next try follows, in `Date.now()` terms, while waiting. */
  nextTry = 0;
  /** Why the server refused the connection, in its words; "" when it did not say so. */
  reason = "";
  /** {role, subject} for whom the last ticket was; null while nobody has signed in. */
  identity = null;
  #url;
  #api;
  #ticketUrl;
  #token = null;
  #socket = null;
  #pause = FIRST_PAUSE_MS;
  #timer = 0;
  #keepAlive = 0;
  #lastId = 0;
  #pending = new Map();

  /** @param {URL} base the page's address; the API is beside it. */
  constructor(base) {
    super();
    this.#url = new URL("ws", base);
    this.#url.protocol = base.protocol === "https:" ? "wss:" : "ws:";
    this.#api = new URL("api", base);
    this.#ticketUrl = new URL("ticket", base);
    addEventListener("online", () => this.tryNow());
    document.addEventListener("visibilitychange", () => document.hidden || this.tryNow());
  }

  /** Connect, now. */
  async open() {
    clearTimeout(this.#timer);
    this.#become("connecting");
    const url = new URL(this.#url);
    try {
      if (this.#token !== null) url.searchParams.set("ticket", await this.#fetchTicket());
    } catch (error) {
      if (error instanceof ApiError) this.#deny(error.message);
      else this.#wait();
      return;
    }
    const socket = new WebSocket(url);
    let opened = false;
    this.#socket = socket;
    socket.addEventListener("open", () => {
      opened = true;
      this.#become("open");
      this.#stayAlive();
      this.dispatchEvent(new CustomEvent("open"));
    });
    socket.addEventListener("message", (message) => this.#receive(message.data));
    socket.addEventListener("close", (event) => this.#closed(socket, opened, event));
  }

  /** Don't wait any longer for the next try. */
  tryNow() {
    if (this.state === "waiting") this.open();
  }

  /** Connect as whoever the token says; it is kept in memory only. */
  signIn(token) {
    this.#token = token;
    this.open();
  }

  /**
   * Send a request.
   * @param {string} method
   * @param {Object} [parameters] beside `method` in the message.
   * @returns {Promise<Object>} the reply; rejected with ApiError or ConnectionLostError.
   */
  request(method, parameters = {}) {
    if (this.state !== "open") return Promise.reject(new ConnectionLostError(false));
    this.#lastId += 1;
    const id = `d${this.#lastId}`;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#settle(id, null), REPLY_WITHIN_MS);
      this.#pending.set(id, { resolve, reject, timer });
      this.#socket.send(JSON.stringify({ method, request_id: id, ...parameters }));
      this.#stayAlive();
    });
  }

  #receive(data) {
    this.#pause = FIRST_PAUSE_MS;
    const message = JSON.parse(data);
    if (message.request_id !== undefined && this.#pending.has(message.request_id)) {
      this.#settle(message.request_id, message);
    } else {
      this.dispatchEvent(new CustomEvent("push", { detail: message }));
    }
  }

  /** Answer a pending request; without a reply the connection is what failed. */
  #settle(id, reply) {
    const { resolve, reject, timer } = this.#pending.get(id);
    this.#pending.delete(id);
    clearTimeout(timer);
    if (reply === null) reject(new ConnectionLostError(true));
    else if (reply.code >= 400) reject(new ApiError(reply));
    else resolve(reply);
  }

  async #closed(socket, opened, event) {
    if (socket !== this.#socket) return;
    clearTimeout(this.#keepAlive);
    for (const id of [...this.#pending.keys()]) this.#settle(id, null);
    // An expired token is found out by the next ticket. A refused handshake looks like any other failure
    // to a script; the same question over HTTP tells why.
    const { status, message } = opened ? { status: event.code, message: event.reason } : await this.#askWhy();
    const isUnknown = status === 401 || status === EXPIRED || status === 1008;
    if (isUnknown && this.#token === null) this.#deny(isUnknown && opened ? message : "");
    else this.#wait(status === 403 ? message : "");
  }

  /** What POST /api says to a question that the WebSocket was not opened for. */
  async #askWhy() {
    try {
      const body = JSON.stringify({ method: "get_containers" });
      const response = await fetch(this.#api, { method: "POST", headers: JSON_TYPE, body });
      const { message = "" } = response.ok ? {} : await response.json();
      return { status: response.status, message };
    } catch {
      return { status: 0, message: "" }; // Nobody answers, or no JSON: the server is down, a proxy answers for it.
    }
  }

  async #fetchTicket() {
    const headers = { ...JSON_TYPE, authorization: `Bearer ${this.#token}` };
    const response = await fetch(this.#ticketUrl, { method: "POST", headers });
    if (response.status === 401 || response.status === 403) {
      this.#token = null;
      throw new ApiError({ code: response.status, message: "The server does not accept this token." });
    }
    if (!response.ok) throw new Error(`ticket: ${response.status}`);
    const { ticket, role, subject = null } = await response.json();
    this.identity = { role, subject };
    return ticket;
  }

  #deny(reason) {
    this.reason = reason;
    this.#become("denied");
  }

  #wait(reason = "") {
    this.reason = reason;
    const pause = this.#pause * (1 + Math.random() * 0.3);
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE_MS);
    this.nextTry = Date.now() + pause;
    this.#timer = setTimeout(() => this.open(), pause);
    this.#become("waiting");
  }

  #stayAlive() {
    clearTimeout(this.#keepAlive);
    this.#keepAlive = setTimeout(() => {
      this.request("get_containers").catch(() => this.#socket.close());
    }, KEEP_ALIVE_MS);
  }

  #become(state) {
    this.state = state;
    this.dispatchEvent(new CustomEvent("state"));
  }
}
