// What the clients from npm share: checks, and asking the test around them to kill a node.
import readline from "node:readline";

const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();

export function equal(got, expected, words) {
  const [a, b] = [JSON.stringify(got), JSON.stringify(expected)];
  if (a !== b) {
    throw new Error(`${words}: expected ${b.slice(0, 300)}, got ${String(a).slice(0, 300)}`);
  }
}

export function check(condition, words) {
  if (!condition) {
    throw new Error(words);
  }
}

// Ask for `kill N`, `start N`, ... and wait until it is done.
export async function ask(words) {
  console.log(`ASK ${words}`);
  const { value } = await lines.next();
  equal(value, "done", `answer to ${words}`);
}

// Call until it does not throw; the last error when the time is over.
export async function until(seconds, call) {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    try {
      return await call();
    } catch (problem) {
      if (Date.now() > deadline) {
        throw problem;
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

// Reject after some time: what else is awaited may hang.
export function late(ms) {
  return new Promise((_, reject) => setTimeout(() => reject(new Error(`no answer in ${ms} ms`)), ms));
}

export function range(count) {
  return Array.from({ length: count }, (_, i) => i);
}

export async function run(claims) {
  for (const claim of claims) {
    const begin = Date.now();
    await claim();
    console.log(`ok ${claim.name} (${((Date.now() - begin) / 1000).toFixed(1)} s)`);
  }
  process.exit(0);
}

process.on("unhandledRejection", (problem) => {
  console.log(`FAILED: ${problem.stack ?? problem}`);
  process.exit(1);
});

// Ports of the plain and of the cluster faces: node client.mjs 7001,7002,7003 7101,7102,7103
export const [plainPorts, clusterPorts] = process.argv.slice(2).map((list) => list.split(",").map(Number));
