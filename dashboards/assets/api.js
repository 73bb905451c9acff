// The REST API, asked with the cookie of who is signed in.

const ROOT = "/api/v1";

/** What the server answers when it does not do what was asked: its sentence, code and place. */
export class Problem extends Error {
  constructor(status, record) {
    super(record.path ? `${record.path}: ${record.detail}` : record.detail);
    Object.assign(this, { status, code: record.code, path: record.path, detail: record.detail });
  }
}

/** A path of names, each of them whole: path("studies", "a/b") is /studies/a%2Fb. */
export const path = (...names) => names.map((name) => `/${encodeURIComponent(name)}`).join("");

/** The address of something, with a query of values or lists; null and "" are left out. */
export function address(where, query = {}) {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of [value].flat()) if (one !== null && one !== undefined && one !== "") given.append(name, one);
  }
  return ROOT + where + (given.size ? `?${given}` : "");
}

/** What a GET answers. */
export const get = (where, query, options) => asked(address(where, query), options);

/** What an answer to a body is; a string goes as it is, of the type given, all else as JSON; also: further headers. */
export function send(method, where, { body, type = "application/json", query, also = {} } = {}) {
  const headers = body === undefined ? also : { ...also, "Content-Type": type };
  const text = body === undefined || typeof body === "string" || body instanceof Blob ? body : JSON.stringify(body);
  return asked(address(where, query), { method, headers, body: text });
}

async function asked(where, options = {}) {
  let answer;
  try {
    answer = await fetch(where, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, { code: "away", detail: "the server does not answer" });
  }
  const isJson = (answer.headers.get("content-type") ?? "").includes("json");
  const record = isJson ? await answer.json() : null;
  if (answer.status === 401) {
    location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
  }
  if (!answer.ok) throw new Problem(answer.status, record ?? { code: "http", detail: answer.statusText });
  return record;
}
