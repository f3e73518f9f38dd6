// The language of the page, and its words.

import { element } from './elements.js';

/** The words and sentences of the language. */
export let catalogue;

/** Return the user's first language that the page has, in any of its regions. */
export function findLanguage() {
  const offered = [...element('language').options].map(({ value }) => value);
  const wanted = navigator.languages.map((tag) => tag.split('-')[0]);
  return wanted.find((one) => offered.includes(one)) ?? 'en';
}

/** Change the language, and the words of every element that has `data-text`. */
export async function speak(language) {
  catalogue = complete(await load(language), await load('en'));
  document.documentElement.lang = language;
  element('language').value = language;
  for (const one of document.querySelectorAll('[data-text]')) {
    one.textContent = say(one.dataset.text);
  }
}

async function load(language) {
  return (await fetch(`/languages/${language}.json`)).json();
}

/** Return the texts of a language, in English where it has none. */
function complete(texts, english) {
  const entries = Object.entries(english).map(([name, text]) => [
    name,
    typeof text === 'string' ? (texts[name] ?? text) : complete(texts[name] ?? {}, text),
  ]);
  return Object.fromEntries(entries);
}

/** Return words of the page, such as those of `roles.queue`, with values in place of the braces. */
export function say(path, values = {}) {
  const words = path.split('.').reduce((group, name) => group[name], catalogue.page);
  return fill(words, values);
}

/** Give an element words that follow the language. */
export function label(element, path) {
  element.dataset.text = path;
  element.textContent = say(path);
}

/** Return what a rule asks for, or nothing if the page has no words for it. */
export function sayRule({ rule, params = {} }) {
  const list = new Intl.ListFormat(document.documentElement.lang, { type: 'disjunction' });
  const values = Object.entries(params).map(([name, value]) => [
    name,
    Array.isArray(value) ? list.format(value) : value,
  ]);
  // A rule could have the name of something that every object has, such as `constructor`.
  const { rules } = catalogue.page;
  return fill(Object.hasOwn(rules, rule) ? rules[rule] : undefined, Object.fromEntries(values));
}

/** Return seconds as milliseconds, or as seconds if they are many. */
export function sayDuration(seconds) {
  const isShort = seconds < 1;
  const options = { maximumFractionDigits: isShort ? 0 : 1 };
  const number = isShort ? 1000 * seconds : seconds;
  const { lang } = document.documentElement;
  return `${number.toLocaleString(lang, options)}\u00a0${isShort ? 'ms' : 's'}`;
}

/** Return a time of day as people write it in the language. */
export function sayTime(time) {
  return time.toLocaleTimeString(document.documentElement.lang);
}

function fill(sentence, values) {
  return sentence?.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}
