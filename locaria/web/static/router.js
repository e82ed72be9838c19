/** What is seen stands in the URL's hash: `#/files?phase=running`, `#/files/12`. Back, forward, bookmarks work. */

/**
 * @param {string} hash
 * @returns {{page: string, id: string|null, query: URLSearchParams}}
 */
export function parseRoute(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [page, id = null] = path.split("/").filter(Boolean).map(decode);
  const known = !page || page === "submit" || (page === "files" && (id === null || /^\d{1,15}$/.test(id)));
  const name = !known ? "unknown" : page === "files" && id !== null ? "file" : page || "overview";
  return { page: name, id, query: new URLSearchParams(query) };
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The hash of the list of files with these filters; empty ones are left out. */
export function filesHash(filters = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(filters)) if (value) query.set(name, value);
  const text = query.toString();
  return text ? `#/files?${text}` : "#/files";
}

/** The hash of one file's page. */
export const fileHash = (id) => `#/files/${id}`;

/** The hash of the form of a container. */
export const submitHash = (container) => `#/submit/${encodeURIComponent(container)}`;
