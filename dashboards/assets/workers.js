// The coordinators that serve, and what the slots of their pools do, looked at again every few seconds.

import { get } from "./api.js";
import { at, fill, h } from "./dom.js";
import { facts, say, study, table, time } from "./parts.js";
import { every } from "./poll.js";
import { count, duration, number } from "./words.js";

const POLL_S = 2;
const GB = 1e9;
const soft = (text) => h("span", { class: "soft" }, text);
const seen = (seconds) => (seconds < 2 ? "just now" : `${duration(seconds)} ago`);
const COLUMNS = [
  ["Slot", (slot) => String(slot.id), "nowrap"],
  ["Machine", (slot) => slot.node ?? soft("this one")],
  ["Device", (slot) => (slot.kind && slot.kind !== slot.device ? `${slot.device}, ${slot.kind}` : slot.device)],
  ["Memory", (slot) => `${number(slot.memory_bytes / GB, 3)} GB`, "number wide"],
  ["Trains for", (slot) => (slot.study ? h("a", { href: study(slot.study) }, slot.study) : soft(slot.ready === false ? "starting" : "idle"))],
  ["Trials at once", (slot) => count(slot.lanes ?? 0), "number"],
  ["Model-steps/s", (slot) => number(slot.model_steps_per_s ?? null, 3), "number"],
  ["Last seen", (slot) => (slot.ready === false ? soft("not yet") : seen(slot.seen_s ?? 0))],
];

// What a coordinator says of its slots is as old as what it said last.
const slotsOf = (one) => one.slots.map((slot) => ({ ...slot, seen_s: Math.max(one.age_s, slot.seen_s ?? 0) }));

const coordinator = (one) =>
  h(
    "section",
    { class: "card", "aria-label": one.host },
    h("h2", {}, one.host),
    facts([["pool", one.pool], ["process", String(one.pid)], ["hpo", one.version], ["since", time(one.started_at)], ["last seen", seen(one.age_s)]]),
    h("div", { class: "table", tabindex: "0", role: "region", "aria-label": `Slots of ${one.host}` }, h("table", {}, table(COLUMNS, slotsOf(one)))),
  );

every(POLL_S, async () => {
  try {
    const { items } = await get("/workers");
    const slots = items.flatMap((one) => one.slots);
    const busy = slots.filter((slot) => slot.study).length;
    say(at("said"), items.length ? `${busy} of ${slots.length} slots are busy.` : "Nobody runs studies now: they wait until a coordinator serves.");
    fill(at("workers"), items.map(coordinator));
  } catch (error) {
    say(at("said"), error);
    throw error;
  }
});
