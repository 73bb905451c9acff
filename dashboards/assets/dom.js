// Elements made from data: whatever is put into one becomes text, never HTML.

/** An element. Attributes that are null or false are left out; those named on… are listeners; children may be lists. */
export function h(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...solid(children));
  return made;
}

/** Put children in place of those that an element has. */
export function fill(element, ...children) {
  element.replaceChildren(...solid(children));
}

/** The element of the page with an id. */
export const at = (id) => document.getElementById(id);

const solid = (children) =>
  children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
