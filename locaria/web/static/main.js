/** Locaria's dashboard: a client of the WebSocket API like any other. */

import { App } from "./app.js";
import { startClock } from "./clock.js";
import { Connection } from "./socket.js";

startClock();
new App(new Connection(new URL(".", document.baseURI))).start();
