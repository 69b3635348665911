"use strict";

// Runs behaviours one by one and prints a line for each.

const { setTimeout: sleep } = require("node:timers/promises");
const { inspect, isDeepStrictEqual } = require("node:util");

/** Longer than any call here takes; shorter than the test waits. */
const PATIENCE = 10_000;

/** Whether a behaviour was missed. */
let missed = false;

async function check(name, behaviour) {
  try {
    await within(behaviour());
    console.log(`ok ${name}`);
  } catch (error) {
    missed = true;
    console.log(`FAIL ${name}: ${String(error?.message ?? error).replace(/\s+/g, " ")}`);
  }
}

async function within(promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no end within ${PATIENCE} ms`)), PATIENCE);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

function equal(got, wanted, what = "the answer") {
  if (!isDeepStrictEqual(got, wanted)) {
    throw new Error(`${what}: ${short(wanted)} was expected, ${short(got)} came`);
  }
}

function contains(text, part, what = "the text") {
  if (!String(text).includes(part)) {
    throw new Error(`${what}: ${short(part)} was expected in it, ${short(text)} came`);
  }
}

/** The error that a promise ends with. */
async function rejected(promise) {
  let answer;
  try {
    answer = await promise;
  } catch (error) {
    return error;
  }
  throw new Error(`an error was expected, ${short(answer)} came`);
}

/** Repeats a condition until it holds. */
async function eventually(what, holds) {
  const end = Date.now() + PATIENCE;
  while (!(await holds())) {
    if (Date.now() > end) {
      throw new Error(`${what}: not in time`);
    }
    await sleep(20);
  }
}

function short(value) {
  const text = inspect(value, { breakLength: Infinity, depth: 6 });
  return text.length > 500 ? `${text.slice(0, 500)}…` : text;
}

function allHeld() {
  return !missed;
}

module.exports = { allHeld, check, contains, equal, eventually, rejected };
