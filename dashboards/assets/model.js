// Take a model home: one that was not kept is trained once more first.

import { address, path, get } from "./api.js";
import { h } from "./dom.js";
import { say } from "./parts.js";
import { sentence } from "./words.js";

const AGAIN_MS = 2000;

/** Download the model of a trial, of the best one where `number` is null. said: where to tell how it goes */
export async function download(name, number, button, said) {
  const where = `${path("studies", name)}/model`;
  button.disabled = true;
  try {
    // HEAD tells whether it is there; only then does the browser take the file itself.
    let answer = await waiting(where, number);
    while (answer) {
      say(said, sentence(answer.detail));
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      answer = await waiting(where, number);
    }
    say(said, "The model is on its way.");
    const link = h("a", { href: address(where, { trial: number }), download: "" });
    document.body.append(link);
    link.click();
    link.remove();
  } catch (error) {
    say(said, error);
  }
  button.disabled = false;
}

/** What the server says while the model is being trained; null once it is there. */
async function waiting(where, number) {
  const answer = await fetch(address(where, { trial: number }), { method: "HEAD" });
  return answer.status === 200 ? null : get(where, { trial: number });
}
