/** What a person can do to a file: the buttons, the question before, the words after. */

import { toast } from "./announce.js";
import { confirmAction } from "./dialogs.js";
import { h, setAttribute, setText } from "./dom.js";
import { canRetry, isActive, titleOf } from "./file_words.js";
import { ConnectionLostError } from "./socket.js";

const RANK = { reader: 0, submitter: 1, operator: 2 };
const NEEDS = {
  instantiate_container: "submitter",
  cancel_file: "submitter",
  retry_file: "submitter",
};

/**
 * May somebody call this method? Unknown roles are let through: the database decides in the end.
 * @param {{role: string, subject: string}|null} identity
 * @param {string} method
 * @param {Object} [file] a submitter may only touch files of their own.
 */
export function may(identity, method, file = null) {
  const role = identity?.role;
  if (!(role in RANK)) return true;
  if (RANK[role] < RANK[NEEDS[method]]) return false;
  const ofOthers = file !== null && role === "submitter" && identity.subject && file.submitted_by;
  return !ofOthers || file.submitted_by === identity.subject;
}

/** Why a method may not be called, for a person. */
export function whyNot(identity, method) {
  return `Your role is ${identity.role}; this action requires the role ${NEEDS[method]}.`;
}

/** What happens to the file at a click: cancel, retry, or nothing. */
function actionOf(identity, file) {
  if (isActive(file)) return may(identity, "cancel_file", file) ? CANCEL : null;
  return canRetry(file) && may(identity, "retry_file", file) ? RETRY : null;
}

const CANCEL = {
  method: "cancel_file",
  label: () => "Cancel",
  question: (file) => ({
    title: `Cancel file ${file.container_id}?`,
    text:
      file.phase === "running"
        ? `${titleOf(file)} is running. Rows loaded so far are discarded; the target does not change.`
        : `${titleOf(file)} has not started yet, and will not start.`,
    yes: "Cancel the file",
    no: "Keep it",
    danger: true,
    field: "Reason (optional)",
  }),
  done: (file) => `File ${file.container_id}: cancellation requested.`,
};

const RETRY = {
  method: "retry_file",
  label: (file) => (file.phase === "done" ? "Run again" : "Retry"),
  question: (file) => ({
    title: file.phase === "done" ? `Run file ${file.container_id} again?` : `Retry file ${file.container_id}?`,
    text: `${titleOf(file)} goes back to the queue with a new set of attempts.`,
    yes: file.phase === "done" ? "Run it again" : "Retry",
  }),
  done: (file) => `File ${file.container_id} was queued again.`,
};

/**
 * A button for what can be done to a file just now; call its `show(file)` whenever the file has changed.
 * @param {import("./app.js").App} app
 * @param {string} [style] class of the button.
 * @param {(file: Object) => boolean} [isWanted] for which files it is shown at all.
 */
export function actionButton(app, style = "", isWanted = () => true) {
  let file = null;
  const button = h("button", { type: "button", class: `action ${style}`.trim() });
  button.addEventListener("click", () => perform(app, actionOf(app.identity, file), file));
  button.show = (now) => {
    file = now;
    const action = isWanted(file) ? actionOf(app.identity, file) : null;
    setAttribute(button, "hidden", action === null);
    if (action === null) return;
    setText(button, action.label(file));
    setAttribute(button, "data-action", action.method);
    setAttribute(button, "aria-label", `${action.label(file)} file ${file.container_id}`);
  };
  return button;
}

async function perform(app, action, file) {
  if (action === null) return;
  const reason = await confirmAction(action.question(file));
  if (reason === null) return;
  try {
    await app.request(action.method, { container_id: file.container_id, ...(reason && { reason }) });
    toast(action.done(file));
  } catch (error) {
    toast(failure(error), "bad");
  }
}

/** A failed request in words. */
export function failure(error) {
  if (!(error instanceof ConnectionLostError)) return error.message;
  if (!error.wasSent) return `${error.message} Nothing was sent.`;
  return `${error.message} The file’s state will show whether it was carried out once the connection is back.`;
}
