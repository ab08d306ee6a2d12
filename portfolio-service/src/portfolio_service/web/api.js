// Requests to our own service; an answer that is no success becomes an error in its words.

export class Refused extends Error {
  constructor(status, text) {
    super(text || String(status));
    this.status = status;
  }
}

const gone = new Set();
/** Called when the session has ended. */
export const onLoggedOut = (act) => gone.add(act);
export const loggedOut = () => gone.forEach((act) => act());

export async function ask(method, path, body) {
  let answer;
  try {
    answer = await fetch(path, {
      method, credentials: "same-origin", cache: "no-store",
      headers: body === undefined ? {} : { "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    throw new Refused(0, String(error.message ?? error));
  }
  if (answer.ok) return answer.json();
  const text = (await answer.text()).trim();
  if (answer.status === 401 && path !== "/api/login" && path !== "/api/session") loggedOut();
  throw new Refused(answer.status, text);
}

export const get = (path, query = {}) => {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null);
  const text = new URLSearchParams(given).toString();
  return ask("GET", text ? `${path}?${text}` : path);
};
export const post = (path, body) => ask("POST", path, body);
export const put = (path, body) => ask("PUT", path, body);

export const session = { role: "", may_change: false };
export async function look() {
  Object.assign(session, await get("/api/session"));
  return session;
}
