// Follow a study as the server tells of it: its progress, its life, and when there are new trials.

import { address, path } from "./api.js";

const KINDS = ["trial", "progress", "study"];
const FINAL = ["COMPLETED", "CANCELLED", "FAILED"];

/** Whether nothing more will happen to a study by itself. */
export const isFinal = (state) => FINAL.includes(state);

/** Call heard[kind](data) for every event from now on, while somebody looks. Returns what follows anew: a final study may go on. */
export function follow(name, heard) {
  let source = null;
  let wanted = true;
  const end = () => source?.close();
  const begin = () => {
    end();
    wanted = true;
    source = new EventSource(address(`${path("studies", name)}/events`, { after: "now" }));
    for (const kind of KINDS) {
      source.addEventListener(kind, ({ data }) => {
        const record = JSON.parse(data);
        heard[kind]?.(record);
        if (kind !== "study" || !isFinal(record.state)) return;
        wanted = false;
        end(); // else it would come back to hear the last word again
      });
    }
  };
  // A browser has six connections to a server, and each page that follows keeps one.
  document.addEventListener("visibilitychange", () => (document.hidden ? end() : wanted && (begin(), heard.trial?.())));
  begin();
  return begin;
}
