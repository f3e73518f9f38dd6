// How the page finds and makes its elements: never from HTML, which its policy forbids.

/** Return the element with an ID. */
export function element(id) {
  return document.getElementById(id);
}

/** Return a new element. */
export function make(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}
