// Talking to the server: requests, the session, the event stream.

/** A request that failed: `status` 0 where the server could not be reached. */
export class Failure extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export async function request(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { cache: "no-store", ...options });
  } catch {
    throw new Failure(0, "the server cannot be reached");
  }
  if (response.ok) return response.status === 204 ? null : response.json();
  throw new Failure(response.status, await problemText(response.status, () => response.json()));
}

/** What the server says of a failure, in one line. */
export async function problemText(status, read) {
  try {
    const { error } = await read();
    return error.remedy ? `${error.message}; ${error.remedy}` : error.message;
  } catch {
    return `the server answered with ${status}`;
  }
}

export const session = () => request("/api/v1/session");

export function logIn(token) {
  return request("/api/v1/session", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ token }) });
}

export const logOut = () => request("/api/v1/session", { method: "DELETE" });

export const ask = (id, action) => request(`/api/v1/jobs/${id}/${action}`, { method: "POST" });

export function jobs(states, before) {
  return request(`/api/v1/jobs?state=${states.join(",")}&before=${before}&limit=50`);
}

/**
 * Listens for ever: the browser reconnects by itself, and where it gives up (the server refused, or is being restarted) this
 * asks why and begins again.
 */
export function listen(handlers, { connected, lost, refused }) {
  let source, pause = 1000;
  function open() {
    source = new EventSource("/api/v1/events");
    source.onopen = () => {
      pause = 1000;
      connected();
    };
    source.onerror = () => {
      lost();
      if (source.readyState === EventSource.CLOSED) setTimeout(again, pause);
    };
    for (const [name, handle] of Object.entries(handlers)) source.addEventListener(name, (event) => handle(JSON.parse(event.data)));
  }
  async function again() {
    pause = Math.min(pause * 2, 15000);
    try {
      const answer = await session();
      if (answer.needs_token && !answer.is_allowed) return refused();
    } catch { /* not there yet */ }
    open();
  }
  open();
  return () => source.close();
}
